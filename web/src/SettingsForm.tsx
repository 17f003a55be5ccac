/** What "with other settings" may change. A field that is left empty stays as it is. */

import { useId } from "react";

export type Settings = Record<string, unknown>;

const FIELDS: { name: string; label: string; hint: string; number?: boolean; choices?: string[] }[] = [
  { name: "samples", label: "Samples", hint: "per pixel, such as 128", number: true },
  { name: "resolutionPercentage", label: "Resolution", hint: "percent, such as 50", number: true },
  { name: "quality", label: "Quality", hint: "", choices: ["auto", "economical", "final"] },
  { name: "frames", label: "Frames", hint: "such as 1-24" },
];

export function SettingsForm(props: { settings: Settings; onSettings: (settings: Settings) => void }) {
  const id = useId();
  const put = (name: string, typed: string, number: boolean) => {
    const { [name]: _, ...others } = props.settings;
    props.onSettings(typed === "" ? others : { ...others, [name]: number ? Number(typed) : typed });
  };
  return (
    <div className="rj-form">
      <p className="rj-soft">A field that is left empty stays as it is.</p>
      {FIELDS.map((field) => {
        const shared = {
          id: `${id}-${field.name}`,
          value: String(props.settings[field.name] ?? ""),
          onChange: (event: { target: { value: string } }) =>
            put(field.name, event.target.value, field.number ?? false),
        };
        return (
          <div key={field.name}>
            <label htmlFor={shared.id}>{field.label}</label>
            {field.choices ? (
              <select {...shared}>
                <option value="">as it is</option>
                {field.choices.map((choice) => (
                  <option key={choice}>{choice}</option>
                ))}
              </select>
            ) : (
              <input {...shared} type={field.number ? "number" : "text"} min={field.number ? 1 : undefined} />
            )}
            <span className="rj-soft">{field.hint}</span>
          </div>
        );
      })}
    </div>
  );
}
