/** The rows of the wall, as a table. */

import { type KeyboardEvent, type MouseEvent, memo, useCallback, useEffect, useRef, useState } from "react";
import type { Row } from "./model";
import { FramesBar, Layers, Picture, Stages, State, To, Words } from "./parts";
import { useNear } from "./useNear";
import { isOver, isStuck, type Sort, silence, type View } from "./view";
import { duration, moment, money, NOTHING, normalized, range } from "./words";

/** How many rows are painted first; the others follow when these can be seen. */
const FIRST = 30;

const COLUMNS: { sort: Sort; name: string; number?: boolean }[] = [
  { sort: "name", name: "Shot" },
  { sort: "needs", name: "State" },
  { sort: "frames", name: "Frames" },
  { sort: "remaining", name: "Remaining", number: true },
  { sort: "elapsed", name: "Elapsed", number: true },
  { sort: "cost", name: "Cost", number: true },
  { sort: "sign", name: "Last sign", number: true },
];

interface Props {
  rows: Row[];
  now: string;
  view: View;
  selected: ReadonlySet<string>;
  onSort: (sort: Sort) => void;
  onSelect: (ids: string[], on: boolean) => void;
  onOpen: (id: string | null) => void;
}

export const Table = memo(function Table(props: Props) {
  const { rows, view, selected, onSelect, onOpen } = props;
  const [painted, setPainted] = useState(FIRST);
  const [focused, setFocused] = useState<string | null>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const anchor = useRef<string | null>(null);
  const chosen = rows.filter((row) => selected.has(row.id)).length;

  useEffect(() => {
    if (rows.length <= painted) return;
    const frame = requestAnimationFrame(() => setPainted(Number.POSITIVE_INFINITY));
    return () => cancelAnimationFrame(frame);
  }, [rows.length, painted]);

  const current = rows.some((row) => row.id === focused) ? focused : (rows[0]?.id ?? null);
  const ids = useRef<string[]>([]);
  ids.current = rows.map((row) => row.id);
  const near = useNear(body, ids.current.slice(0, painted).join());

  const select = useCallback(
    (id: string, on: boolean, upTo: boolean) => {
      const [from, to] = [ids.current.indexOf(anchor.current ?? id), ids.current.indexOf(id)];
      anchor.current = id;
      if (!upTo || from < 0) onSelect([id], on);
      else onSelect(ids.current.slice(Math.min(from, to), Math.max(from, to) + 1), on);
    },
    [onSelect],
  );

  /** The arrows go from row to row, x selects; Enter opens, as on every button. */
  const onKey = (event: KeyboardEvent) => {
    const line = (event.target as HTMLElement).closest<HTMLElement>("tr[data-row]");
    if (!line || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = ids.current.indexOf(line.dataset.row ?? "");
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: ids.current.length - 1,
    };
    if (event.key in steps) {
      const to = Math.max(0, Math.min(ids.current.length - 1, steps[event.key] ?? 0));
      event.preventDefault();
      body.current?.querySelectorAll<HTMLElement>(".rj-name")[to]?.focus();
    } else if (event.key.toLowerCase() === "x") {
      const id = ids.current[at];
      if (id) select(id, !selected.has(id), event.shiftKey);
    }
  };

  return (
    <table className="rj-table">
      <caption className="rj-hidden">
        Renders. The arrow keys go from row to row, Enter opens a row, x selects it.
      </caption>
      <thead>
        <tr>
          <th scope="col" className="rj-check">
            <input
              type="checkbox"
              aria-label="Select all shown"
              title={`Select all ${rows.length} shown`}
              checked={rows.length > 0 && chosen === rows.length}
              ref={(box) => {
                if (box) box.indeterminate = chosen > 0 && chosen < rows.length;
              }}
              onChange={(event) => onSelect(ids.current, event.target.checked)}
            />
          </th>
          <th scope="col" className="rj-shot">
            <span className="rj-hidden">Picture</span>
          </th>
          {COLUMNS.map((column) => {
            const sorted = view.sort === column.sort;
            return (
              <th
                key={column.sort}
                scope="col"
                className={column.number ? "rj-number" : undefined}
                aria-sort={sorted ? (view.descending ? "descending" : "ascending") : undefined}
              >
                <button type="button" className="rj-sort" onClick={() => props.onSort(column.sort)}>
                  {column.name}
                  <span aria-hidden="true">{sorted ? (view.descending ? " ↓" : " ↑") : ""}</span>
                </button>
              </th>
            );
          })}
          <th scope="col">
            <span className="rj-hidden">Links</span>
          </th>
        </tr>
      </thead>
      <tbody ref={body} onKeyDown={onKey}>
        {rows.slice(0, painted).map((row) => (
          <Line
            key={row.id}
            row={row}
            sign={signWords(row, props.now)}
            stuck={isStuck(row, props.now)}
            selected={selected.has(row.id)}
            open={view.open === row.id}
            current={row.id === current}
            near={near?.has(row.id) ?? true}
            onFocus={setFocused}
            onSelect={select}
            onOpen={onOpen}
          />
        ))}
      </tbody>
    </table>
  );
});

/** How long ago something last moved; of what is over, when that was. */
function signWords(row: Row, now: string): string {
  const silent = silence(row, now);
  if (silent !== null) return duration(silent);
  return isOver(row) && row.ended ? moment(row.ended, new Date(now)) : NOTHING;
}

interface LineProps {
  row: Row;
  sign: string;
  stuck: boolean;
  selected: boolean;
  open: boolean;
  current: boolean;
  near: boolean;
  onFocus: (id: string) => void;
  onSelect: (id: string, on: boolean, upTo: boolean) => void;
  onOpen: (id: string | null) => void;
}

/** Far from what can be seen, figures stay as they are: `before` is what was painted last. */
function looksSame(before: LineProps, after: LineProps): boolean {
  const { near, row, sign, ...rest } = after;
  const isSame = row === before.row && sign === before.sign;
  if (!isSame && (near || row.state !== before.row.state || row.name !== before.row.name)) return false;
  return (Object.keys(rest) as (keyof typeof rest)[]).every((name) => rest[name] === before[name]);
}

const Line = memo(function Line(props: LineProps) {
  const { row } = props;
  // One row at a time is reached by Tab: its name, box and links; the arrows go to the others.
  const tabIndex = props.current ? 0 : -1;
  const onClick = (event: MouseEvent) => {
    if (!(event.target as HTMLElement).closest("a, button, input, label")) props.onOpen(row.id);
  };
  return (
    <tr
      data-row={row.id}
      data-state={row.state}
      data-open={props.open || undefined}
      data-selected={props.selected || undefined}
      onClick={onClick}
      onFocus={() => props.onFocus(row.id)}
    >
      <td className="rj-check">
        <label>
          <input
            type="checkbox"
            aria-label={`Select ${row.name}`}
            tabIndex={tabIndex}
            checked={props.selected}
            onChange={(event) =>
              props.onSelect(
                row.id,
                event.target.checked,
                (event.nativeEvent as unknown as MouseEvent).shiftKey,
              )
            }
          />
        </label>
      </td>
      <td className="rj-shot">
        <Picture picture={row.picture} alt={row.name} />
      </td>
      <th scope="row">
        <button
          type="button"
          className="rj-name"
          tabIndex={tabIndex}
          aria-expanded={props.open}
          onClick={() => props.onOpen(row.id)}
        >
          {row.name}
        </button>
        {row.layers.length > 1 ? (
          <Layers row={row} />
        ) : (
          <span className="rj-soft rj-line" title={`${row.dag_id} · ${row.run_id}`}>
            {row.sequence ?? row.dag_id}
          </span>
        )}
      </th>
      <td className="rj-what">
        <span className="rj-line">
          <State state={row.state} stuck={props.stuck} />
          <Stages stages={row.stages} />
        </span>
        {props.stuck && !row.reason && (
          <span className="rj-line rj-warn">Nothing has moved for {props.sign}</span>
        )}
        {(row.reason || row.next_step) && (
          <span className="rj-line" title={[row.reason, row.next_step].filter(Boolean).join(" ")}>
            <span className="rj-reason">
              <Words>{row.reason}</Words>
            </span>
            {row.next_step && (
              <span className="rj-soft">
                {" "}
                <Words>{row.next_step}</Words>
              </span>
            )}
          </span>
        )}
      </td>
      <td className="rj-frames-cell">
        <FramesBar frames={row.frames} state={row.state} label={`Frames of ${row.name}`} />
      </td>
      <Two
        first={isOver(row) || !row.remaining ? NOTHING : duration(row.remaining.likely)}
        second={isOver(row) || !row.remaining ? "" : range(row.remaining.least, row.remaining.most)}
      />
      <Two
        first={duration(row.elapsed)}
        second={row.queue_seconds === null ? "" : `queued ${duration(row.queue_seconds)}`}
      />
      <Two
        first={row.money ? money(row.money) : normalized(row.normalized_seconds)}
        second={row.money ? normalized(row.normalized_seconds) : ""}
        title={row.normalized_seconds === null ? "" : `${row.normalized_seconds} normalized seconds`}
      />
      <td className={props.stuck ? "rj-number rj-warn" : "rj-number rj-soft"}>{props.sign}</td>
      <td className="rj-links">
        <To link={row.links.task} tabIndex={tabIndex} label={`Task of ${row.name}`}>
          Task
        </To>
        <To link={row.links.log} tabIndex={tabIndex} label={`Log of ${row.name}`}>
          Log
        </To>
        <To link={row.links.run} tabIndex={tabIndex} label={`Run of ${row.name}`}>
          Run
        </To>
        {row.links.delivery && (
          <To link={row.links.delivery} tabIndex={tabIndex} label={`Delivery of ${row.name}`}>
            Delivery
          </To>
        )}
      </td>
    </tr>
  );
}, looksSame);

function Two(props: { first: string; second: string; title?: string }) {
  return (
    <td className="rj-number" title={props.title || undefined}>
      <span className={props.first === NOTHING ? "rj-soft" : undefined}>{props.first}</span>
      {props.second && <span className="rj-second">{props.second}</span>}
    </td>
  );
}
