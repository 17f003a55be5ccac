/** The question before an action: what will happen to the renders, and to the money. */

import { type FormEvent, useCallback, useEffect, useId, useRef, useState } from "react";
import { act, PlanChangedError, readPlan } from "./api";
import type { Action, Done, Plan, Row } from "./model";
import { type Settings, SettingsForm } from "./SettingsForm";
import { ACTION_NAMES, several } from "./words";

interface Props {
  action: Action;
  rows: Row[];
  onDone: (done: Done) => void;
  onClose: () => void;
}

export function ActionDialog(props: Props) {
  const { action, rows, onDone, onClose } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  const [settings, setSettings] = useState<Settings | null>(action === "settings" ? {} : null);
  const [asked, setAsked] = useState(action !== "settings");
  const [plan, setPlan] = useState<Plan | null>(null);
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState("");
  // The rows are those that were selected, whatever a refresh brings meanwhile.
  const [wanted] = useState(() => ({ action, rows: rows.map((row) => row.id), names: namesOf(rows) }));

  useEffect(() => {
    dialog.current?.showModal();
  }, []);

  const perform = useCallback(async (work: () => Promise<void>) => {
    setBusy(true);
    setTrouble("");
    try {
      await work();
    } catch (error) {
      if (error instanceof PlanChangedError) setPlan(error.plan);
      setTrouble((error as Error).message);
    } finally {
      setBusy(false);
    }
  }, []);

  const ask = useCallback(
    () =>
      perform(async () => {
        setPlan(await readPlan({ action: wanted.action, rows: wanted.rows, settings }));
        setAsked(true);
      }),
    [perform, wanted, settings],
  );

  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the dialog opens
  useEffect(() => {
    if (asked) void ask();
  }, []);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    if (!asked || !plan) void ask();
    else
      void perform(async () => {
        const done = await act({ action: wanted.action, rows: wanted.rows, settings }, plan.confirm);
        dialog.current?.close();
        onDone(done);
      });
  };

  const willing = plan?.rows.filter((row) => row.refused === null) ?? [];
  const asksSettings = settings !== null && !asked;
  return (
    <dialog ref={dialog} className="rj-dialog" aria-modal="true" aria-labelledby={title} onClose={onClose}>
      <form onSubmit={submit}>
        <h2 id={title}>
          {plan && asked ? plan.question : `${ACTION_NAMES[action]}: ${several(rows.length, "row")}`}
        </h2>
        {asksSettings && <SettingsForm settings={settings} onSettings={setSettings} />}
        {!asksSettings && !plan && !trouble && <p className="rj-soft">Reading what would happen…</p>}
        {trouble && (
          <p className="rj-trouble" role="alert">
            {trouble}
          </p>
        )}
        {plan && asked && (
          <>
            <p className="rj-money">{plan.money}</p>
            <ul className="rj-plan">
              {plan.rows.map((row) => (
                <li key={row.id} data-refused={row.refused !== null || undefined}>
                  <b>{wanted.names.get(row.id) ?? row.id}</b> <span>{row.refused ?? row.will}</span>
                </li>
              ))}
            </ul>
            {willing.length < plan.rows.length && (
              <p className="rj-soft">
                {several(
                  plan.rows.length - willing.length,
                  "row will stay as it is",
                  "rows will stay as they are",
                )}
                .
              </p>
            )}
          </>
        )}
        <footer>
          {settings !== null && asked && (
            <button type="button" className="rj-button" disabled={busy} onClick={() => setAsked(false)}>
              Back
            </button>
          )}
          <span className="rj-grow" />
          {/* biome-ignore lint/a11y/noAutofocus: in a dialog, the harmless answer is the first one */}
          <button type="button" className="rj-button" autoFocus onClick={() => dialog.current?.close()}>
            Leave as it is
          </button>
          <button
            type="submit"
            className={action === "stop" ? "rj-button rj-primary rj-danger" : "rj-button rj-primary"}
            disabled={busy || (asksSettings ? Object.keys(settings).length === 0 : willing.length === 0)}
          >
            {asksSettings ? "What would happen?" : confirmWords(action, willing.length)}
          </button>
        </footer>
      </form>
    </dialog>
  );
}

function namesOf(rows: Row[]): Map<string, string> {
  return new Map(rows.map((row) => [row.id, row.name]));
}

function confirmWords(action: Action, number: number): string {
  const words = {
    ...ACTION_NAMES,
    missing: "Render what is missing of",
    settings: "With these settings, render",
  };
  return `${words[action]} ${several(number, "row")}`;
}
