/** The page in a host that mounts apps as Airflow's does. */

import { act, render, screen, waitFor } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { type ComponentType, lazy, Suspense, useState } from "react";
import { BrowserRouter, useLocation } from "react-router-dom";
import { beforeEach, expect, test, vi } from "vitest";
import { night, row } from "./sample";
import { type Asked, serve } from "./server";

let asked: Asked[];

beforeEach(() => {
  Object.defineProperty(document, "hidden", { configurable: true, value: false });
  window.history.replaceState(null, "", "/studio/plugin/renders?sort=name#end");
  for (const name of ["Renders", "Render", "AirflowPlugin"]) Reflect.deleteProperty(globalThis, name);
  vi.resetModules();
  asked = serve({ night: () => night([row("sh010", "failed"), row("sh020", "delivered")]) });
});

/** Inside of a `Suspense` as long as it had to be loaded, and else without one. */
function Host() {
  useLocation();
  const [Loaded] = useState(() =>
    lazy(async () => {
      await import("../src/index");
      return { default: Reflect.get(globalThis, "Renders") as ComponentType };
    }),
  );
  const Known = Reflect.get(globalThis, "Renders") as ComponentType | undefined;
  if (Known) return <Known />;
  return (
    <Suspense>
      <Loaded />
    </Suspense>
  );
}

async function open() {
  const view = render(
    <BrowserRouter basename="/studio">
      <Host />
    </BrowserRouter>,
  );
  await screen.findByText("sh010");
  return view;
}

test("what is selected and focused stays when the address changes for the first time", async () => {
  await open();
  const user = userEvent.setup();
  const box = screen.getByRole("checkbox", { name: "Select sh010" });
  await user.click(box);
  const chip = screen.getByRole("button", { name: /^Failed 1/ });
  await user.click(chip);
  expect(window.location.search).toContain("state=failed");
  expect(document.activeElement).toBe(chip);
  expect(screen.getByRole("checkbox", { name: "Select sh010" })).toBe(box);
  expect((box as HTMLInputElement).checked).toBe(true);
});

test("opening the page asks once, and leaves the address and the history as they were", async () => {
  const before = window.history.length;
  await open();
  expect(asked).toHaveLength(1);
  expect(window.location.href).toMatch(/\/studio\/plugin\/renders\?sort=name#end$/);
  expect(window.history.length).toBe(before);
});

test("a page that is opened later is there at once", async () => {
  const first = await open();
  first.unmount();
  const key = () => window.history.state?.key;
  const before = key();
  await open();
  expect(key()).toBe(before);
});

test("a host that mounts no second time shows the page as well", async () => {
  await import("../src/index");
  const Renders = Reflect.get(globalThis, "Renders") as ComponentType;
  render(
    <BrowserRouter basename="/studio">
      <Renders />
    </BrowserRouter>,
  );
  await waitFor(() => expect(screen.getByText("sh020")).toBeTruthy());
  await act(async () => {});
  expect(asked).toHaveLength(1);
});
