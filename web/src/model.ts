/**
 * What the wall's routes answer: the same as `renderjuice_provider/wall/models.py`, which explains each
 * field. Times are ISO 8601 in UTC, durations seconds. `null` is not known, or does not apply.
 */

export type RowState =
  | "waiting"
  | "uploading"
  | "validating"
  | "queued"
  | "rendering"
  | "finishing"
  | "compositing"
  | "delivering"
  | "delivered"
  | "rendered"
  | "failed"
  | "rejected"
  | "stopped"
  | "skipped";

export type Action = "stop" | "again" | "missing" | "take_up" | "settings";
export type StageState = "waiting" | "running" | "done" | "failed" | "skipped";
export type FrameState = "done" | "missing" | "failed" | "waiting";

export interface Money {
  amount: number;
  currency: string;
}

export interface Allowed {
  normalized_seconds: number;
  money: Money | null;
}

export interface Connection {
  connection: string;
  answers: boolean;
  age: number | null;
  error: string | null;
}

export interface Total {
  rows: number;
  by_state: Partial<Record<RowState, number>>;
  frames_done: number;
  frames_total: number;
  normalized_seconds: number;
  jobs_of_unknown_cost: number;
  money: Money | null;
  quote: Allowed | null;
  ceiling: Allowed | null;
  expected_end: { likely: string; earliest: string; latest: string } | null;
}

export interface Layer {
  name: string;
  state: RowState;
  job_id: string | null;
  frames_done: number | null;
  frames_total: number | null;
}

export interface Stage {
  name: string;
  state: StageState;
  task_id: string;
  map_index: number;
}

export interface Frames {
  total: number;
  done: number;
  failed: number;
}

export interface Remaining {
  likely: number;
  least: number;
  most: number;
}

export interface Row {
  id: string;
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
  name: string;
  sequence: string | null;
  layers: Layer[];
  state: RowState;
  stages: Stage[];
  frames: Frames | null;
  started: string | null;
  ended: string | null;
  elapsed: number | null;
  remaining: Remaining | null;
  queue_seconds: number | null;
  normalized_seconds: number | null;
  money: Money | null;
  quote: Allowed | null;
  share: Allowed | null;
  last_sign: string | null;
  reason: string;
  next_step: string;
  picture: string | null;
  links: { task: string; log: string; run: string; delivery: string | null };
  can: Action[];
}

export interface Night {
  now: string;
  rows: Row[];
  more: boolean;
  farms: Connection[];
  total: Total;
}

export interface Frame {
  name: string;
  picture: string | null;
  state: FrameState;
}

export interface Past {
  night: string;
  run_id: string;
  state: RowState;
  frames: number | null;
  normalized_seconds: number | null;
  seconds_per_frame: number | null;
  elapsed: number | null;
  link: string;
}

export interface Change {
  field: string;
  before: unknown;
  now: unknown;
}

export interface Detail {
  row: Row;
  frames: Frame[];
  history: Past[];
  config: { now: Record<string, unknown>; before: Record<string, unknown> | null; changes: Change[] };
}

export interface WantedAction {
  action: Action;
  rows: string[];
  settings: Record<string, unknown> | null;
}

export interface Plan {
  question: string;
  money: string;
  rows: { id: string; will: string; refused: string | null }[];
  confirm: string;
}

export interface Done {
  done: string[];
  failed: { id: string; why: string }[];
}
