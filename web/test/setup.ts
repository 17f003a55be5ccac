import { cleanup } from "@testing-library/react";
import { afterEach, beforeEach, vi } from "vitest";

beforeEach(() => {
  document.head.innerHTML = '<base href="http://airflow.example/studio/">';
  window.history.replaceState({}, "", "/studio/plugin/renders");
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
