/** Requests to the wall's routes. Each error is a sentence for the person at the screen. */

import { routeUrl } from "./address";
import type { Detail, Done, Night, Plan, WantedAction } from "./model";

/** What part of Airflow a wall shows: all of it, a DAG run, or a task instance. */
export interface Scope {
  dagId?: string | undefined;
  runId?: string | undefined;
  taskId?: string | undefined;
  mapIndex?: string | undefined;
}

/** A request that brought nothing to show. `status` is 0 when nothing came back at all. */
export class WallError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** An action that would not be any more what was confirmed: `plan` is what it would be now. */
export class PlanChangedError extends WallError {
  constructor(readonly plan: Plan) {
    super(409, "Something has changed since you asked. Please read again what would happen now.");
  }
}

const SENTENCES: Record<number, string> = {
  0: "Airflow does not answer. What you see is what was known before; this page goes on asking.",
  401: "You are signed out of Airflow. Reload this page to sign in again.",
  403: "Your role in Airflow does not allow this.",
  404: "This is gone: its DAG run may have been deleted.",
  429: "Airflow has too many requests just now. This page goes on asking.",
};

function sentence(status: number, body: unknown): string {
  const said = (body as { error?: unknown } | null)?.error;
  if (typeof said === "string" && said) return said;
  return (
    SENTENCES[status] ?? `Airflow's API server has answered with an error (${status}). Its log says more.`
  );
}

async function ask(url: string, init: RequestInit): Promise<{ status: number; body: unknown }> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin", cache: "no-store", ...init });
  } catch {
    throw new WallError(0, sentence(0, null));
  }
  const body: unknown = await response.json().catch(() => null);
  if (response.ok && body === null) {
    throw new WallError(
      response.status,
      "The answer was no render wall's. Is a proxy in front of Airflow signed out?",
    );
  }
  if (!response.ok && response.status !== 409)
    throw new WallError(response.status, sentence(response.status, body));
  return { status: response.status, body };
}

export async function readNight(scope: Scope, hours: number, signal: AbortSignal): Promise<Night> {
  const query = {
    hours,
    dag_id: scope.dagId,
    run_id: scope.runId,
    task_id: scope.taskId,
    map_index: scope.mapIndex,
  };
  return (await ask(routeUrl("night", query), { signal })).body as Night;
}

export async function readDetail(id: string, signal: AbortSignal): Promise<Detail> {
  return (await ask(routeUrl(`rows/${encodeURIComponent(id)}`), { signal })).body as Detail;
}

async function post(path: string, body: unknown): Promise<{ status: number; body: unknown }> {
  return ask(routeUrl(path), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

export async function readPlan(wanted: WantedAction): Promise<Plan> {
  const { status, body } = await post("plan", wanted);
  if (status === 409) throw new WallError(status, sentence(status, body));
  return body as Plan;
}

/** Does what a plan has said. Raises `PlanChangedError` when it would do something else by now. */
export async function act(wanted: WantedAction, confirm: string): Promise<Done> {
  const { status, body } = await post("act", { ...wanted, confirm });
  if (status !== 409) return body as Done;
  if (Array.isArray((body as Plan | null)?.rows)) throw new PlanChangedError(body as Plan);
  throw new WallError(status, sentence(status, body));
}
