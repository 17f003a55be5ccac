/** What of a night is shown, and in which order. The view lives in the address, so it can be sent to others. */

import type { Night, Row, RowState } from "./model";
import { STATE_NAMES } from "./words";

/** The order of "needs me": what waits for a person first, what is well last. */
export const STATES = Object.keys(STATE_NAMES) as RowState[];
const OVER = new Set<RowState>(["delivered", "rendered", "failed", "rejected", "stopped", "skipped"]);
const ON_THE_FARM = new Set<RowState>(["queued", "rendering", "finishing"]);

export const SORTS = ["needs", "name", "frames", "remaining", "elapsed", "cost", "sign"] as const;
export type Sort = (typeof SORTS)[number];
export const HOURS = [12, 24, 72, 168] as const;

export interface View {
  states: RowState[];
  text: string;
  sequence: string;
  sort: Sort;
  descending: boolean;
  hours: number;
  pictures: boolean;
  open: string | null;
}

const DEFAULT_SORT: Sort = "needs";
const DEFAULT_HOURS = 24;

export function parseView(query: URLSearchParams): View {
  const sort = query.get("sort") ?? "";
  const name = sort.replace(/^-/, "") as Sort;
  const hours = Number(query.get("hours"));
  return {
    states: (query.get("state") ?? "")
      .split(",")
      .filter((state): state is RowState => STATES.includes(state as RowState)),
    text: query.get("q") ?? "",
    sequence: query.get("sequence") ?? "",
    sort: SORTS.includes(name) ? name : DEFAULT_SORT,
    descending: sort.startsWith("-"),
    hours: (HOURS as readonly number[]).includes(hours) ? hours : DEFAULT_HOURS,
    pictures: query.get("as") === "pictures",
    open: query.get("open"),
  };
}

/** The address's query for a view. What others have put there stays; what is as by default is left out. */
export function writeView(view: View, query: URLSearchParams): URLSearchParams {
  const written = new URLSearchParams(query);
  const put = (name: string, value: string) => (value ? written.set(name, value) : written.delete(name));
  const sort = `${view.descending ? "-" : ""}${view.sort}`;
  put("state", view.states.join(","));
  put("q", view.text);
  put("sequence", view.sequence);
  put("sort", sort === DEFAULT_SORT ? "" : sort);
  put("hours", view.hours === DEFAULT_HOURS ? "" : String(view.hours));
  put("as", view.pictures ? "pictures" : "");
  put("open", view.open ?? "");
  return written;
}

export function isOver(row: Row): boolean {
  return OVER.has(row.state);
}

/** Seconds since something last moved; null where nothing has to move. */
export function silence(row: Row, now: string): number | null {
  if (row.last_sign === null || isOver(row)) return null;
  return Math.max(0, (Date.parse(now) - Date.parse(row.last_sign)) / 1000);
}

/**
 * Whether a render has been silent for longer than slow frames explain: ten minutes, or five times what its
 * frames take.
 */
export function isStuck(row: Row, now: string): boolean {
  const silent = silence(row, now);
  if (silent === null || !ON_THE_FARM.has(row.state) || row.state === "queued") return false;
  const left = row.frames ? row.frames.total - row.frames.done : 0;
  const perFrame = row.remaining && left > 0 ? row.remaining.likely / left : 0;
  return silent > Math.max(600, 5 * perFrame);
}

function matches(row: Row, view: View): boolean {
  if (view.sequence && row.sequence !== view.sequence) return false;
  if (!view.text) return true;
  const all = [row.name, row.sequence, row.dag_id, row.run_id, row.task_id, row.reason];
  const where = [...all, ...row.layers.map((layer) => layer.name)].join("\n").toLowerCase();
  return view.text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => where.includes(word));
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function compare(sort: Sort, now: string): (a: Row, b: Row) => number {
  const byName = (a: Row, b: Row) => collator.compare(a.name, b.name) || collator.compare(a.id, b.id);
  // What is not known comes last.
  const by = (key: (row: Row) => number | null | undefined) => (a: Row, b: Row) => {
    const [left, right] = [key(a) ?? null, key(b) ?? null];
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return left - right;
  };
  const keys: Record<Sort, (a: Row, b: Row) => number> = {
    needs: by((row) => (isStuck(row, now) ? 2.5 : STATES.indexOf(row.state))),
    name: byName,
    frames: by((row) => row.frames && row.frames.done / Math.max(1, row.frames.total)),
    remaining: by((row) => (isOver(row) ? null : row.remaining?.likely)),
    elapsed: by((row) => row.elapsed),
    cost: by((row) => row.normalized_seconds),
    sign: by((row) => silence(row, now)),
  };
  return (a, b) => keys[sort](a, b) || byName(a, b);
}

export interface Shown {
  rows: Row[];
  /** How many rows each chip would show, by the other filters. */
  counts: Map<RowState, number>;
  sequences: string[];
}

/** The rows of a view in their order, and the choices that lead to others. */
export function show(night: Night, view: View): Shown {
  const matching = night.rows.filter((row) => matches(row, view));
  const counts = new Map<RowState, number>();
  for (const row of matching) counts.set(row.state, (counts.get(row.state) ?? 0) + 1);
  const rows = matching.filter((row) => view.states.length === 0 || view.states.includes(row.state));
  const order = compare(view.sort, night.now);
  rows.sort(view.descending ? (a, b) => order(b, a) : order);
  const sequences = new Set(night.rows.flatMap((row) => (row.sequence ? [row.sequence] : [])));
  return { rows, counts, sequences: [...sequences].sort(collator.compare) };
}

/** A night in which rows that have not changed are the objects of the one before: they need no new paint. */
export function keepSame(before: Night | null, after: Night): Night {
  const known = new Map(before?.rows.map((row) => [row.id, row]));
  const rows = after.rows.map((row) => {
    const old = known.get(row.id);
    return old && JSON.stringify(old) === JSON.stringify(row) ? old : row;
  });
  return { ...after, rows };
}

/** What a screen reader should say of a refresh: rows that are over now and were not before. */
export function news(before: Night | null, after: Night): string {
  const known = new Map(before?.rows.map((row) => [row.id, row]));
  const over = after.rows.filter((row) => {
    const old = known.get(row.id);
    return old && !isOver(old) && isOver(row);
  });
  const said = over.slice(0, 3).map((row) => `${row.name}: ${STATE_NAMES[row.state]}.`);
  return [...said, ...(over.length > 3 ? [`And ${over.length - 3} more.`] : [])].join(" ");
}
