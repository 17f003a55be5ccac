/** A wall's server for tests: it answers by path, and keeps what it was asked. */

import { vi } from "vitest";

export interface Asked {
  url: URL;
  method: string;
  headers: Headers;
  body: unknown;
}

type Answer = (asked: Asked) => unknown;

/** Raised by an answer: this status, with this body. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly body: unknown,
  ) {
    super();
  }
}

/** Answers requests from now on. An answer that is an `Error` is a network that is down. */
export function serve(answers: Record<string, Answer>): Asked[] {
  const asked: Asked[] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit = {}) => {
    init.signal?.throwIfAborted();
    const one = {
      url: new URL(url),
      method: init.method ?? "GET",
      headers: new Headers(init.headers),
      body: init.body ? JSON.parse(String(init.body)) : null,
    };
    asked.push(one);
    const path = one.url.pathname.replace(/^.*\/renderjuice\/wall\//, "");
    const answer = answers[path] ?? answers[path.split("/")[0] ?? ""];
    try {
      return Response.json(answer?.(one) ?? null);
    } catch (error) {
      if (error instanceof Refusal) return Response.json(error.body, { status: error.status });
      throw error;
    }
  });
  return asked;
}
