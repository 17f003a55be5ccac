import { useCallback, useEffect, useRef, useState } from "react";

/** What a request brought last, and when. A failed one leaves the value as it was. */
export interface Polled<T> {
  value: T | null;
  /** The browser's clock when the value came, in milliseconds. */
  at: number;
  error: Error | null;
  again: () => void;
}

/** After how long a request is given up: a sleeping computer leaves some that never end. */
const LIMIT = 20_000;
const MOST_PATIENCE = 60_000;

/**
 * Asks at once and then again and again, one request at a time, until `pause` says null.
 *
 * Nobody is asked while the page is hidden. When it is shown again, when the network comes back, and after a
 * night's sleep of the computer, it asks at once. After errors it waits longer.
 *
 * @param key Another key is another question: what is known is forgotten, and asked for again.
 * @param ask Brings the value; its signal says that it is not wanted any more.
 * @param pause Milliseconds until the next request, from the last value.
 */
export function usePolled<T>(
  key: string,
  ask: (signal: AbortSignal, before: T | null) => Promise<T>,
  pause: (value: T | null) => number | null,
): Polled<T> {
  const [state, setState] = useState({ key, value: null as T | null, at: 0, error: null as Error | null });
  const current = useRef({ ask, pause });
  current.current = { ask, pause };
  const wake = useRef(() => {});

  useEffect(() => {
    let value: T | null = null;
    let failures = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let running: AbortController | null = null;
    let ended = false;
    setState({ key, value: null, at: 0, error: null });

    const next = () => {
      clearTimeout(timer);
      const usual = current.current.pause(value);
      if (ended || document.hidden || usual === null) return;
      timer = setTimeout(turn, failures ? Math.min(MOST_PATIENCE, 5_000 * 2 ** (failures - 1)) : usual);
    };
    const turn = async () => {
      if (running || ended) return;
      clearTimeout(timer);
      running = new AbortController();
      const limit = setTimeout(() => running?.abort(), LIMIT);
      try {
        value = await current.current.ask(running.signal, value);
        failures = 0;
        if (!ended) setState({ key, value, at: Date.now(), error: null });
      } catch (error) {
        failures += 1;
        if (!ended) setState((now) => ({ ...now, error: error as Error }));
      } finally {
        clearTimeout(limit);
        running = null;
        next();
      }
    };
    const shown = () => {
      if (document.hidden) clearTimeout(timer);
      else void turn();
    };
    wake.current = () => void turn();
    void turn();
    document.addEventListener("visibilitychange", shown);
    window.addEventListener("online", shown);
    return () => {
      ended = true;
      clearTimeout(timer);
      running?.abort();
      document.removeEventListener("visibilitychange", shown);
      window.removeEventListener("online", shown);
    };
  }, [key]);

  const again = useCallback(() => wake.current(), []);
  // Until the effect has run, what is there answers another question.
  const fresh = state.key === key ? state : { value: null, at: 0, error: null };
  return { value: fresh.value, at: fresh.at, error: fresh.error, again };
}

/** The browser's clock, in milliseconds: a new one every `pause` milliseconds. */
export function useNow(pause: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), pause);
    return () => clearInterval(timer);
  }, [pause]);
  return now;
}
