/** Numbers and moments as a tired person reads them. */

import type { Action, Money, RowState } from "./model";

export const STATE_NAMES: Record<RowState, string> = {
  failed: "Failed",
  rejected: "Rejected",
  stopped: "Stopped",
  delivering: "Delivering",
  compositing: "Compositing",
  finishing: "Finishing",
  rendering: "Rendering",
  queued: "Queued",
  validating: "Validating",
  uploading: "Uploading",
  waiting: "Waiting",
  rendered: "Rendered",
  delivered: "Delivered",
  skipped: "Skipped",
};

/** The name of a state; of one that this page does not know yet, the word itself. */
export function stateName(state: string): string {
  return STATE_NAMES[state as RowState] ?? state;
}

export const ACTION_NAMES: Record<Action, string> = {
  stop: "Stop",
  missing: "Render what is missing",
  take_up: "Take up",
  again: "Render again",
  settings: "Other settings",
};

export const NOTHING = "–";

/** A length of time: `42 s`, `12 min`, `3 h 5 min`, `2 d 4 h`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NOTHING;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A range of lengths of time, such as `20 to 60 min`. */
export function range(least: number, most: number): string {
  const [from, to] = [duration(least), duration(most)];
  if (from === to) return from;
  const [number, ...unit] = from.split(" ");
  const [, ...others] = to.split(" ");
  return unit.length === 1 && unit.join() === others.join() ? `${number} to ${to}` : `${from} to ${to}`;
}

export function count(value: number): string {
  return new Intl.NumberFormat("en").format(value);
}

export function money(value: Money): string {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency: value.currency }).format(value.amount);
  } catch {
    return `${value.amount.toFixed(2)} ${value.currency}`;
  }
}

/** Normalized seconds, which is what Renderjuice bills: `1,234 s`. */
export function normalized(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return NOTHING;
  return `${new Intl.NumberFormat("en", { maximumFractionDigits: seconds < 10 ? 1 : 0 }).format(seconds)} s`;
}

/** The time zone that was chosen in Airflow; undefined is the browser's own. */
function zone(): string | undefined {
  try {
    const chosen: unknown = JSON.parse(localStorage.getItem("timezone") ?? "null");
    if (typeof chosen !== "string") return undefined;
    new Intl.DateTimeFormat("en", { timeZone: chosen });
    return chosen;
  } catch {
    return undefined;
  }
}

/** A moment: `04:20`, with the day where that is another one than today's. */
export function moment(iso: string, now: Date = new Date()): string {
  const when = new Date(iso);
  if (Number.isNaN(when.getTime())) return NOTHING;
  const timeZone = zone();
  const day = (date: Date) => date.toLocaleDateString("en-CA", { timeZone });
  const time = when.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone });
  if (day(when) === day(now)) return time;
  return `${when.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone })}, ${time}`;
}

/** `1 row`, `12 rows`. */
export function several(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** A value of a configuration, in one line. */
export function value(it: unknown): string {
  if (it === null || it === undefined) return NOTHING;
  return typeof it === "string" ? it : JSON.stringify(it);
}
