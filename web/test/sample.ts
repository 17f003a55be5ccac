/** A night to show without an Airflow: every state, long names, a row that wants to be markup. */

import type {
  Action,
  Detail,
  Frame,
  Layer,
  Night,
  Plan,
  Row,
  RowState,
  Stage,
  WantedAction,
} from "../src/model";

const START = Date.parse("2026-11-27T02:00:00Z");
const WAY = ["uploaded", "validated", "rendered", "composited", "delivered"];
/** The stage that each state is in; what is over without success stopped there. */
const AT: Record<RowState, number> = {
  waiting: 0,
  uploading: 0,
  validating: 1,
  rejected: 1,
  queued: 2,
  rendering: 2,
  finishing: 2,
  failed: 2,
  stopped: 2,
  rendered: 3,
  compositing: 3,
  delivering: 4,
  delivered: 5,
  skipped: 0,
};
const CAN: Partial<Record<RowState, Action[]>> = {
  failed: ["missing", "take_up", "again", "settings"],
  rejected: ["again", "settings"],
  stopped: ["missing", "again", "settings"],
  rendering: ["stop"],
  queued: ["stop"],
  delivered: ["again", "settings"],
};
const REASONS: Partial<Record<RowState, [string, string]>> = {
  failed: [
    "Frames 18 to 24 failed: CUDA error: out of memory in cuMemAlloc, the scene needs 27.4 GiB.",
    "Render what is missing with a larger minimumRam, or with less subdivision.",
  ],
  rejected: [
    "The scene has no camera in view layer “char”, and 2 textures are missing: wood_01.exr, rust.exr.",
    "Pack the textures, set a camera, and start the shot again.",
  ],
  stopped: ["Stopped by ada at 02:41.", ""],
};

function stages(state: RowState): Stage[] {
  const at = AT[state];
  const bad = state === "failed" || state === "rejected" || state === "stopped";
  return WAY.map((name, index) => ({
    name,
    task_id: name.replace(/ed$|d$/, ""),
    map_index: -1,
    state:
      state === "skipped"
        ? "skipped"
        : index < at
          ? "done"
          : index > at
            ? "waiting"
            : bad
              ? "failed"
              : "running",
  }));
}

function layer(name: string, state: RowState, done: number, total: number): Layer {
  return { name, state, job_id: `job-${name}-7f3a`, frames_done: done, frames_total: total };
}

export function row(name: string, state: RowState, change: Partial<Row> = {}): Row {
  const id = `r-${name.replace(/[^a-z0-9]/gi, "")}`;
  const total = 24;
  const done = state === "rendering" ? 7 : AT[state] > 2 ? total : state === "failed" ? 17 : 0;
  const begun = !["waiting", "skipped"].includes(state);
  const over = ["delivered", "rendered", "failed", "rejected", "stopped", "skipped"].includes(state);
  const run = `renderjuice_shot/dags-${id}`;
  const page = `dags/renderjuice_shot/runs/${encodeURIComponent(run)}`;
  return {
    id,
    dag_id: "renderjuice_shot",
    run_id: run,
    task_id: "render",
    map_index: -1,
    name,
    sequence: name.includes("_") ? (name.split("_")[0] ?? null) : null,
    layers: [layer("base", state, done, total)],
    state,
    stages: stages(state),
    frames: AT[state] >= 2 ? { total, done, failed: state === "failed" ? 7 : 0 } : null,
    started: begun ? new Date(START).toISOString() : null,
    ended: over ? new Date(START + 900_000).toISOString() : null,
    elapsed: begun ? 940 : null,
    remaining: state === "rendering" ? { likely: 1830, least: 1200, most: 3600 } : null,
    queue_seconds: AT[state] >= 2 ? 41 : null,
    normalized_seconds: AT[state] >= 2 ? 1234.5 : null,
    money: AT[state] >= 2 ? { amount: 4.12, currency: "EUR" } : null,
    quote: { normalized_seconds: 1_300, money: null },
    share: AT[state] >= 2 ? { normalized_seconds: 1_500, money: null } : null,
    last_sign: begun ? new Date(START + 927_000).toISOString() : null,
    reason: REASONS[state]?.[0] ?? "",
    next_step: REASONS[state]?.[1] ?? "",
    picture: AT[state] >= 2 && state !== "queued" ? `${id}.${done}` : null,
    links: {
      task: `${page}/tasks/render`,
      log: `${page}/tasks/render?try_number=1`,
      run: page,
      delivery: state === "delivered" ? "https://files.example/deliveries/sh010" : null,
    },
    can: CAN[state] ?? [],
    ...change,
  };
}

export function night(rows: Row[], change: Partial<Night> = {}): Night {
  const by_state: Partial<Record<RowState, number>> = {};
  for (const one of rows) by_state[one.state] = (by_state[one.state] ?? 0) + 1;
  const sum = (key: (row: Row) => number | undefined) => rows.reduce((all, one) => all + (key(one) ?? 0), 0);
  return {
    now: new Date(START + 940_000).toISOString(),
    rows,
    more: false,
    farms: [{ connection: "renderjuice_default", answers: true, age: 2.1, error: null }],
    total: {
      rows: rows.length,
      by_state,
      frames_done: sum((one) => one.frames?.done),
      frames_total: sum((one) => one.frames?.total),
      normalized_seconds: sum((one) => one.normalized_seconds ?? 0),
      jobs_of_unknown_cost: 1,
      money: { amount: sum((one) => one.money?.amount), currency: "EUR" },
      quote: { normalized_seconds: 78_000, money: { amount: 260, currency: "EUR" } },
      ceiling: { normalized_seconds: 120_000, money: { amount: 400, currency: "EUR" } },
      expected_end: {
        likely: "2026-11-27T04:20:00Z",
        earliest: "2026-11-27T03:50:00Z",
        latest: "2026-11-27T05:10:00Z",
      },
    },
    ...change,
  };
}

const STATES: RowState[] = [
  "failed",
  "rejected",
  "stopped",
  "delivering",
  "compositing",
  "finishing",
  "queued",
  "validating",
  "uploading",
  "waiting",
  "rendered",
  "skipped",
];

/** `number` rows: each state, and otherwise what renders and what is delivered. */
export function sampleNight(number = 60): Night {
  const rows = Array.from({ length: number }, (_, index) => {
    const state = STATES[index] ?? (index % 3 ? "delivered" : "rendering");
    const name = `sq${String(Math.floor(index / 10) + 1).padStart(2, "0")}0_sh${String((index % 10) * 10 + 10).padStart(4, "0")}`;
    const change: Partial<Row> = {};
    if (index === 14) change.last_sign = new Date(START - 600_000).toISOString();
    if (index % 5 === 3) {
      change.layers = [
        layer("char", state, 7, 24),
        layer("fx", "queued", 0, 24),
        layer("bg", "delivered", 24, 24),
      ];
    }
    if (index === 1)
      return row(`<img src=x onerror=alert(1)>`, state, { ...change, id: "r-markup", sequence: "sq010" });
    return row(name, state, change);
  });
  return night(rows);
}

export function detail(of: Row): Detail {
  const frames: Frame[] = Array.from({ length: of.frames?.total ?? 0 }, (_, index) => ({
    name: String(index + 1).padStart(4, "0"),
    picture: index < (of.frames?.done ?? 0) ? `${of.id}.frame${index}` : null,
    state: index < (of.frames?.done ?? 0) ? "done" : of.state === "failed" ? "failed" : "waiting",
  }));
  const past = (date: string, perFrame: number, state: RowState = "delivered") => ({
    night: date,
    run_id: `scheduled__${date}`,
    state,
    frames: 24,
    normalized_seconds: perFrame * 24,
    seconds_per_frame: perFrame,
    elapsed: 900,
    link: `dags/renderjuice_shot/runs/scheduled__${date}`,
  });
  return {
    row: of,
    frames,
    history: [past("2026-11-26", 51.4), past("2026-11-25", 33.2), past("2026-11-24", 32.9, "failed")],
    config: {
      now: {
        colorManagementPreset: "default",
        sampleCount: 128,
        frameRanges: ["1-24"],
        renderEngine: "CYCLES",
      },
      before: {
        colorManagementPreset: "default",
        sampleCount: 64,
        frameRanges: ["1-24"],
        renderEngine: "CYCLES",
      },
      changes: [{ field: "sampleCount", before: 64, now: 128 }],
    },
  };
}

export function plan(wanted: WantedAction, rows: Row[]): Plan {
  const chosen = rows.filter((one) => wanted.rows.includes(one.id));
  return {
    question: `Stop ${chosen.length} renders?`,
    money: "What has rendered until now is billed: 1,234 s, about €4.12. Nothing more will be.",
    rows: chosen.map((one) => ({
      id: one.id,
      will: one.can.includes(wanted.action) ? "Its job is canceled, and its task fails." : "",
      refused: one.can.includes(wanted.action) ? null : "Nothing of it is under way.",
    })),
    confirm: "digest-1",
  };
}
