/** The same shot in other nights: whether it has become slower or dearer. */

import type { Past } from "./model";
import { State, To } from "./parts";
import { count, duration, NOTHING, normalized } from "./words";

export function History(props: { past: Past[] }) {
  const { past } = props;
  if (past.length === 0) {
    return (
      <section className="rj-section" aria-label="Other nights">
        <h3>Other nights</h3>
        <p className="rj-soft">This is the first night of this shot.</p>
      </section>
    );
  }
  const most = Math.max(...past.map((one) => one.seconds_per_frame ?? 0));
  return (
    <section className="rj-section" aria-label="Other nights">
      <h3>Other nights</h3>
      <table className="rj-small">
        <thead>
          <tr>
            <th scope="col">Night</th>
            <th scope="col">State</th>
            <th scope="col" className="rj-number">
              Frames
            </th>
            <th scope="col">Per frame</th>
            <th scope="col" className="rj-number">
              Cost
            </th>
            <th scope="col" className="rj-number">
              Took
            </th>
          </tr>
        </thead>
        <tbody>
          {past.map((one) => (
            <tr key={`${one.night} ${one.run_id}`}>
              <th scope="row">
                <To link={one.link} label={`${one.night}: run ${one.run_id}`}>
                  {one.night}
                </To>
              </th>
              <td>
                <State state={one.state} />
              </td>
              <td className="rj-number">{one.frames === null ? NOTHING : count(one.frames)}</td>
              <td>
                <span className="rj-per-frame">
                  <span className="rj-bar" aria-hidden="true">
                    <span
                      className="rj-bar-plain"
                      style={{ width: most > 0 ? `${(100 * (one.seconds_per_frame ?? 0)) / most}%` : 0 }}
                    />
                  </span>
                  {normalized(one.seconds_per_frame)}
                </span>
              </td>
              <td className="rj-number">{normalized(one.normalized_seconds)}</td>
              <td className="rj-number">{duration(one.elapsed)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
