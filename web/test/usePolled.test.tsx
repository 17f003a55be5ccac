import { act, renderHook } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { usePolled } from "../src/usePolled";

beforeEach(() => {
  vi.useFakeTimers();
  hide(false);
});

function hide(hidden: boolean) {
  Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}

function polled(ask: (signal: AbortSignal) => Promise<number>, key = "a") {
  return renderHook(({ key }) => usePolled(key, ask, () => 5_000), { initialProps: { key } });
}

const pass = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds));

test("it asks at once, and every five seconds", async () => {
  let asked = 0;
  const { result } = polled(async () => ++asked);
  await pass(0);
  expect(result.current.value).toBe(1);
  await pass(10_000);
  expect(result.current.value).toBe(3);
});

test("a hidden page asks nobody, and asks at once when it is shown", async () => {
  let asked = 0;
  polled(async () => ++asked);
  await pass(0);
  hide(true);
  await pass(3_600_000);
  expect(asked).toBe(1);
  hide(false);
  await pass(0);
  expect(asked).toBe(2);
  await pass(5_000);
  expect(asked).toBe(3);
});

test("after an error the value stays, and it asks more rarely", async () => {
  let asked = 0;
  const { result } = polled(async () => {
    asked += 1;
    if (asked > 1) throw new Error("down");
    return 1;
  });
  await pass(5_000);
  expect([result.current.value, result.current.error?.message]).toEqual([1, "down"]);
  await pass(5_000);
  expect(asked).toBe(3);
  await pass(9_000);
  expect(asked).toBe(3);
  await pass(1_000);
  expect(asked).toBe(4);
  await pass(3_600_000);
  expect(asked).toBeLessThan(80);
});

test("when the network is back it asks at once", async () => {
  const ask = vi.fn(async () => {
    throw new Error("down");
  });
  polled(ask);
  await pass(40_000);
  const before = ask.mock.calls.length;
  window.dispatchEvent(new Event("online"));
  await pass(0);
  expect(ask.mock.calls.length).toBe(before + 1);
});

test("a request that never ends is given up, and asked again", async () => {
  let asked = 0;
  const { result } = polled((signal) => {
    asked += 1;
    if (asked > 1) return Promise.resolve(asked);
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("too slow"))));
  });
  await pass(20_000);
  expect(result.current.error?.message).toBe("too slow");
  await pass(5_000);
  expect([result.current.value, result.current.error]).toEqual([2, null]);
});

test("another question forgets the answer to the last one, even if that comes later", async () => {
  const answers: ((value: number) => void)[] = [];
  const { result, rerender } = polled(() => new Promise((resolve) => answers.push(resolve)));
  rerender({ key: "b" });
  expect(result.current.value).toBeNull();
  await act(async () => answers[1]?.(2));
  await act(async () => answers[0]?.(1));
  expect(result.current.value).toBe(2);
});

test("a page that is left asks no more", async () => {
  let asked = 0;
  const { unmount } = polled(async () => ++asked);
  await pass(0);
  unmount();
  await pass(60_000);
  expect(asked).toBe(1);
});
