import type { Action, Row } from "./model";
import { ACTION_NAMES, several } from "./words";

const ACTIONS = Object.keys(ACTION_NAMES) as Action[];
const HINTS: Record<Action, string> = {
  stop: "Cancel what renders, and stop the bill",
  missing: "Order only the frames that are not there",
  take_up: "Go on with the job that Renderjuice has already",
  again: "Render from the first frame: this costs again",
  settings: "Render with other settings, in a new run",
};

/** The actions that at least one of the rows allows. Each asks before anything happens. */
export function Buttons(props: { rows: Row[]; onAction: (action: Action) => void }) {
  const { rows } = props;
  if (rows.every((row) => row.can.length === 0)) {
    return <span className="rj-soft">There is nothing to do here, or your role only reads.</span>;
  }
  return (
    <span className="rj-buttons">
      {ACTIONS.map((action) => {
        const able = rows.filter((row) => row.can.includes(action)).length;
        if (able === 0 && rows.length === 1) return null;
        return (
          <button
            key={action}
            type="button"
            className={action === "stop" ? "rj-button rj-danger" : "rj-button"}
            disabled={able === 0}
            title={`${HINTS[action]}${rows.length > 1 ? ` (${several(able, "row")} of ${rows.length})` : ""}`}
            onClick={() => props.onAction(action)}
          >
            {ACTION_NAMES[action]}
            {action === "settings" ? "…" : ""}
            {rows.length > 1 && able > 0 ? ` ${able}` : ""}
          </button>
        );
      })}
    </span>
  );
}
