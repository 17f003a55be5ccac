/** Numbers and moments as a tired person reads them. */

import type { Action, Allowed, Money, RowState } from "./model";

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

/** What `make` gives for a name, made once: a formatter takes longer to make than a hundred numbers to write. */
function kept<T>(make: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    const found = known.get(name) ?? make(name);
    known.set(name, found);
    return found;
  };
}

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const FINE = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const inCurrency = kept((currency) => new Intl.NumberFormat("en", { style: "currency", currency }));

export function count(value: number): string {
  return WHOLE.format(value);
}

export function money(value: Money): string {
  try {
    return inCurrency(value.currency).format(value.amount);
  } catch {
    return `${value.amount.toFixed(2)} ${value.currency}`;
  }
}

/** Normalized seconds, which is what Renderjuice bills: `1,234 s`. */
export function normalized(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return NOTHING;
  return `${(seconds < 10 ? FINE : WHOLE).format(seconds)} s`;
}

/** As money where there is a rate, else as normalized seconds. */
export function allowed(value: Allowed): string {
  return value.money ? money(value.money) : normalized(value.normalized_seconds);
}

/** What writes moments in a time zone; in the browser's own where that is not one. */
const clockOf = kept((zone) => {
  const formats = (timeZone?: string) => ({
    day: new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone }),
    date: new Intl.DateTimeFormat("en-CA", { timeZone }),
    time: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone }),
  });
  try {
    return formats(JSON.parse(zone));
  } catch {
    return formats();
  }
});

/** A moment: `04:20`, with the day where that is another one than today's, in the time zone chosen in Airflow. */
export function moment(iso: string, now: Date = new Date()): string {
  const when = new Date(iso);
  if (Number.isNaN(when.getTime())) return NOTHING;
  const { day, date, time } = clockOf(localStorage.getItem("timezone") ?? "");
  const at = time.format(when);
  return date.format(when) === date.format(now) ? at : `${day.format(when)}, ${at}`;
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
