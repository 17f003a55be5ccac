/** What a row renders with, and what of that is not as it was the last time. */

import type { Detail } from "./model";
import { value } from "./words";

export function Configs(props: { config: Detail["config"] }) {
  const { now, before, changes } = props.config;
  const fields = Object.entries(now).sort(([left], [right]) => left.localeCompare(right));
  return (
    <section className="rj-section" aria-label="Configuration">
      <h3>Configuration</h3>
      {before === null ? (
        <p className="rj-soft">There is none before it to compare with.</p>
      ) : changes.length === 0 ? (
        <p className="rj-soft">As the last time.</p>
      ) : (
        <table className="rj-small">
          <thead>
            <tr>
              <th scope="col">Changed</th>
              <th scope="col">Last time</th>
              <th scope="col">Now</th>
            </tr>
          </thead>
          <tbody>
            {changes.map((change) => (
              <tr key={change.field}>
                <th scope="row">{change.field}</th>
                <td className="rj-code rj-soft">{value(change.before)}</td>
                <td className="rj-code">{value(change.now)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {fields.length > 0 && (
        <details>
          <summary>All {fields.length} fields</summary>
          <dl className="rj-fields">
            {fields.map(([field, it]) => (
              <div key={field}>
                <dt>{field}</dt>
                <dd className="rj-code">{value(it)}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </section>
  );
}
