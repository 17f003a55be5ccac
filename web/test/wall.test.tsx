import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import type { ReactElement } from "react";
import { BrowserRouter } from "react-router-dom";
import { beforeEach, expect, test, vi } from "vitest";
import "../src/index";
import type { Night } from "../src/model";
import { detail, night, plan, row, sampleNight } from "./sample";
import { Refusal, serve } from "./server";

const Renders = Reflect.get(globalThis, "Renders") as (
  props: Record<string, string | undefined>,
) => ReactElement;
const ROWS = [
  row("sh010", "failed"),
  row("sh020", "rendering"),
  row("sh030", "delivered"),
  row("sh040", "failed", { sequence: "b" }),
];

beforeEach(() => {
  Object.defineProperty(document, "hidden", { configurable: true, value: false });
  document.title = "Airflow";
});

function show(props: Record<string, string | undefined> = {}) {
  return render(
    <BrowserRouter basename="/studio">
      <Renders {...props} />
    </BrowserRouter>,
  );
}

/** Serves these rows, whose details are samples, and opens the page. */
async function open(its: Partial<Night> & { rows?: Night["rows"] } = {}, props = {}) {
  const rows = its.rows ?? ROWS;
  const asked = serve({
    night: () => night(rows, its),
    rows: ({ url }) => {
      const found = rows.find((one) => url.pathname.endsWith(one.id));
      if (!found) throw new Refusal(404, { error: "This row is gone: its DAG run was deleted." });
      return detail(found);
    },
    plan: ({ body }) => plan(body as never, rows),
    act: ({ body }) => ({ done: (body as { rows: string[] }).rows, failed: [] }),
  });
  const view = show(props);
  await waitFor(() => expect(screen.queryByText("Reading the renders…")).toBeNull());
  return { asked, view, user: userEvent.setup() };
}

const shownNames = () => [...document.querySelectorAll(".rj-name")].map((name) => name.textContent);
const address = () => decodeURIComponent(window.location.search);
const line = (name: string) => screen.getByRole("button", { name }).closest("tr") as HTMLElement;

test("every app finds its component under its own name", () => {
  for (const name of ["Renders", "Render", "AirflowPlugin"])
    expect(Reflect.get(globalThis, name)).toBe(Renders);
});

test("a failed shot's reason and its log are there without a click", async () => {
  await open();
  expect(shownNames()).toEqual(["sh010", "sh040", "sh020", "sh030"]);
  expect(within(line("sh010")).getByText(/out of memory/)).toBeTruthy();
  expect(within(line("sh010")).getByRole("link", { name: "Log of sh010" }).getAttribute("href")).toMatch(
    /^\/studio\/dags\/renderjuice_shot\/runs\/.*try_number=1$/,
  );
});

test("the whole night is on top", async () => {
  await open();
  expect(screen.getByText("Expected end").nextSibling?.textContent).toMatch(/\d\d:20.*between/);
  expect(screen.getByText("Spent").nextSibling?.textContent).toContain("€16.48");
  expect(screen.getByText("Spent").nextSibling?.textContent).toContain("at most €400.00");
  expect(screen.getByText("Spent").nextSibling?.textContent).toContain("1 job of unknown cost");
  await waitFor(() => expect(document.title).toBe("2 failed, 1 rendering · Renders"));
});

test("the window has its title back when the page is left", async () => {
  const { view } = await open();
  view.unmount();
  expect(document.title).toBe("Airflow");
});

test("a chip filters, and the address says so", async () => {
  const { user } = await open();
  await user.click(screen.getByRole("button", { name: /^Failed 2/ }));
  expect(shownNames()).toEqual(["sh010", "sh040"]);
  expect(address()).toBe("?state=failed");
  await user.click(screen.getByRole("button", { name: /^All/ }));
  expect(address()).toBe("");
});

test("an address that was sent by a colleague is the same view", async () => {
  window.history.replaceState({}, "", "/studio/plugin/renders?state=failed&sort=-name");
  await open();
  expect(shownNames()).toEqual(["sh040", "sh010"]);
});

test("typing filters, and nothing that matches says how to see all again", async () => {
  const { user } = await open();
  await user.type(screen.getByRole("searchbox"), "sh03");
  await waitFor(() => expect(shownNames()).toEqual(["sh030"]));
  await user.type(screen.getByRole("searchbox"), "zzz");
  await user.click(await screen.findByRole("button", { name: "Show all 4" }));
  expect(shownNames()).toHaveLength(4);
});

test("a column sorts, and the other way at the second click", async () => {
  const { user } = await open();
  const column = screen.getByRole("columnheader", { name: /^Shot/ });
  await user.click(within(column).getByRole("button"));
  expect(column.getAttribute("aria-sort")).toBe("ascending");
  await user.click(within(column).getByRole("button"));
  expect([column.getAttribute("aria-sort"), shownNames()[0], address()]).toEqual([
    "descending",
    "sh040",
    "?sort=-name",
  ]);
});

test("a name that is markup stays a name", async () => {
  await open(sampleNight(3));
  expect(screen.getByRole("button", { name: "<img src=x onerror=alert(1)>" })).toBeTruthy();
  expect(document.querySelector("img[src=x]")).toBeNull();
});

test("a link that would run a script is no link", async () => {
  const links = {
    task: "javascript:alert(1)",
    log: "dags/x",
    run: "dags/x",
    delivery: "javascript:alert(1)",
  };
  await open({ rows: [row("sh010", "delivered", { links })] });
  expect(document.querySelector('[href^="javascript"]')).toBeNull();
});

test("the keyboard alone goes to a row, opens it, and comes back", async () => {
  const { user } = await open();
  screen.getByRole("button", { name: "sh010" }).focus();
  await user.keyboard("{ArrowDown}{ArrowDown}{ArrowUp}{Enter}");
  expect(address()).toContain("?open=r-sh040");
  expect(document.activeElement?.textContent).toBe("sh040");
  expect(document.activeElement?.tagName).toBe("H2");
  await user.keyboard("{Escape}");
  expect(address()).toBe("");
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "sh040" }));
});

test("only one row is in the way of the Tab key", async () => {
  await open();
  expect(document.querySelectorAll('.rj-name[tabindex="0"]')).toHaveLength(1);
  fireEvent.focus(screen.getByRole("button", { name: "sh030" }));
  expect(document.querySelector('.rj-name[tabindex="0"]')?.textContent).toBe("sh030");
});

test("an opened row shows its frames, its other nights and what has changed", async () => {
  const { user } = await open();
  await user.click(screen.getByRole("button", { name: "sh020" }));
  const panel = await screen.findByRole("region", { name: "sh020" });
  const frames = await within(panel).findByRole("list", { name: "Frames" });
  expect(within(frames).getAllByRole("listitem")).toHaveLength(24);
  await user.click(within(frames).getByRole("button", { name: "Frame 0003, done" }));
  await user.keyboard("{ArrowRight}");
  expect(within(panel).getByRole("img", { name: "Frame 0004" }).getAttribute("src")).toBe(
    "http://airflow.example/studio/renderjuice/wall/pictures/r-sh020.frame3?size=1024",
  );
  expect(within(panel).getByRole("link", { name: /2026-11-26/ }) ?? null).toBeTruthy();
  expect(within(panel).getByText("Quote").nextSibling?.textContent).toBe("1,300 s · at most 1,500 s");
  expect(within(panel).getByRole("rowheader", { name: "sampleCount" })).toBeTruthy();
  expect(
    within(panel).getByRole("link", { name: "rendered: under way, task render" }).getAttribute("href"),
  ).toContain("/tasks/render");
});

test("the name that a voice calls a link or button by holds the words on it", async () => {
  window.history.replaceState({}, "", "/studio/plugin/renders?open=r-sh020");
  await open();
  await screen.findByRole("list", { name: "Frames" });
  const named = [...document.querySelectorAll("a[aria-label], button[aria-label]")];
  expect(named.length).toBeGreaterThan(20);
  for (const one of named) {
    const words = [...one.childNodes].filter(
      (part) => part.nodeType === Node.TEXT_NODE && /\w/.test(part.textContent ?? ""),
    );
    for (const word of words) expect(one.getAttribute("aria-label")).toContain(word.textContent);
  }
});

test("a row that is deleted while it is open is a sentence", async () => {
  window.history.replaceState({}, "", "/studio/plugin/renders?open=r-gone");
  const { user } = await open();
  expect(await screen.findByText("This row is gone: its DAG run was deleted.")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Close the details" }));
  expect(address()).toBe("");
});

test("a picture that cannot be had leaves a quiet place", async () => {
  await open();
  const picture = within(line("sh020")).getByRole("img", { name: "sh020" });
  fireEvent.error(picture);
  expect(line("sh020").querySelector("img")).toBeNull();
});

test("a silent render says for how long", async () => {
  await open({ rows: [row("sh010", "rendering", { last_sign: "2026-11-27T01:00:00Z" })] });
  expect(screen.getByText("Nothing has moved for 1 h 16 min")).toBeTruthy();
});

test("Renderjuice that does not answer is a sentence, and the rows stay", async () => {
  const farm = {
    connection: "renderjuice_default",
    answers: false,
    age: 312,
    error: "The API key is refused.",
  };
  await open({ farms: [farm] });
  expect(screen.getByRole("alert").textContent).toBe(
    "renderjuice_default: The API key is refused. What it said last is 5 min old.",
  );
  expect(screen.getByRole("status").textContent).toContain("Renderjuice does not answer");
  expect(shownNames()).toHaveLength(4);
});

test.each([
  [401, /signed out/],
  [403, /role in Airflow does not allow/],
  [500, /answered with an error \(500\)/],
])("a status of %s is a sentence", async (status, sentence) => {
  serve({
    night: () => {
      throw new Refusal(status, "no JSON of ours");
    },
  });
  show();
  expect((await screen.findByText(sentence)).closest('[role="alert"]')).toBeTruthy();
});

test("an Airflow that does not answer is a sentence", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  show();
  expect(await screen.findByText(/Airflow does not answer/)).toBeTruthy();
});

test("an answer that is a proxy's page is a sentence", async () => {
  vi.stubGlobal("fetch", async () => new Response("<html>Please sign in</html>"));
  show();
  expect(await screen.findByText(/Is a proxy in front/)).toBeTruthy();
});

test.each([
  [{}, /Nothing has rendered here in that time/],
  [{ dagId: "d", runId: "r" }, /Nothing in this DAG run renders/],
  [{ dagId: "d", runId: "r", taskId: "t" }, /This task has rendered nothing/],
])("nothing to show in %j is a sentence", async (props, sentence) => {
  await open({ rows: [] }, props);
  expect(screen.getByText(sentence)).toBeTruthy();
});

test("a tab asks for its own part of Airflow alone", async () => {
  const { asked } = await open({}, { dagId: "d", runId: "r/1", taskId: "t", mapIndex: "-1" });
  expect(asked[0]?.url.search).toBe("?hours=24&dag_id=d&run_id=r%2F1&task_id=t");
  expect(document.title).toBe("Airflow");
});

test("the tab of a task is its one row, opened", async () => {
  await open({ rows: [ROWS[1] as never] }, { dagId: "d", runId: "r", taskId: "t", mapIndex: "3" });
  expect(await screen.findByRole("list", { name: "Frames" })).toBeTruthy();
  expect(document.querySelector("table.rj-table")).toBeNull();
});

test("all rows are painted, also those that do not fit on the first screen", async () => {
  await open({ rows: Array.from({ length: 120 }, (_, index) => row(`sh${index}`, "delivered")) });
  await waitFor(() => expect(shownNames()).toHaveLength(120));
});

test("a row far from what can be seen is painted again when it comes near, or when its state changes", async () => {
  let report: IntersectionObserverCallback = () => {};
  const seen = (names: string[], isIntersecting: boolean) => {
    const entries = names.map((name) => ({ target: line(name), isIntersecting }));
    act(() => report(entries as unknown as IntersectionObserverEntry[], {} as IntersectionObserver));
  };
  class Observer {
    constructor(callback: IntersectionObserverCallback) {
      report = callback;
    }
    observe() {}
    disconnect() {}
  }
  vi.stubGlobal("IntersectionObserver", Observer);
  const rows = ["sh010", "sh020", "sh030"].map((name) => row(name, "rendering"));
  const { user } = await open({ rows });
  const elapsed = (name: string) => line(name).textContent?.includes("7 min");
  seen(["sh010"], true);
  seen(["sh020", "sh030"], false);
  for (const its of rows) its.elapsed = 420;
  rows[2] = row("sh030", "failed", { elapsed: 420 });
  await user.click(screen.getByRole("button", { name: "Read again now" }));
  await waitFor(() => expect(elapsed("sh010")).toBe(true));
  expect([elapsed("sh020"), elapsed("sh030")]).toEqual([false, true]);
  seen(["sh020"], true);
  expect(elapsed("sh020")).toBe(true);
});

test("a screen on the wall shows pictures, and each one opens", async () => {
  const { user } = await open();
  await user.click(screen.getByRole("button", { name: "Pictures" }));
  expect(address()).toBe("?as=pictures");
  expect(within(screen.getByRole("list", { name: "Renders" })).getAllByRole("listitem")).toHaveLength(4);
  await user.click(screen.getByRole("button", { name: "sh020" }));
  expect(await screen.findByRole("list", { name: "Frames" })).toBeTruthy();
});

test("an action asks first, says what happens to the money, and does what was confirmed", async () => {
  const { asked, user } = await open();
  await user.click(screen.getByRole("checkbox", { name: "Select sh020" }));
  await user.click(screen.getByRole("button", { name: "Stop" }));
  const dialog = await screen.findByRole("dialog");
  expect(await within(dialog).findByText(/is billed: 1,234 s/)).toBeTruthy();
  expect(asked.map((one) => one.url.pathname).filter((path) => path.endsWith("act"))).toEqual([]);
  await user.click(within(dialog).getByRole("button", { name: "Stop 1 row" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  const done = asked.find((one) => one.url.pathname.endsWith("/act"));
  expect(done?.body).toEqual({ action: "stop", rows: ["r-sh020"], settings: null, confirm: "digest-1" });
  expect(done?.headers.get("content-type")).toBe("application/json");
  expect(screen.getByText("Done for 1 row.")).toBeTruthy();
  expect(screen.queryByText("1 row selected")).toBeNull();
  await waitFor(() => expect(document.activeElement?.className).toBe("rj-name"));
});

test("all that is filtered can be selected at once, and each row says what will happen to it", async () => {
  const { user } = await open();
  await user.click(screen.getByRole("button", { name: /^Failed 2/ }));
  await user.click(screen.getByRole("checkbox", { name: "Select all shown" }));
  expect(screen.getByText("2 rows selected")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Render what is missing 2" }));
  const dialog = await screen.findByRole("dialog");
  await waitFor(() => expect(within(dialog).getAllByRole("listitem")).toHaveLength(2));
});

test("somebody who may change nothing reads that, and finds no button", async () => {
  const rows = ROWS.map((one) => ({ ...one, can: [] }));
  const { user } = await open({ rows });
  await user.click(screen.getByRole("checkbox", { name: "Select all shown" }));
  expect(screen.getByText("There is nothing to do here, or your role only reads.")).toBeTruthy();
  expect(screen.queryByRole("button", { name: /^Stop/ })).toBeNull();
});

test("what the filters hide is not acted upon, though it was selected", async () => {
  const { asked, user } = await open();
  await user.click(screen.getByRole("checkbox", { name: "Select all shown" }));
  await user.click(screen.getByRole("button", { name: /^Rendering 1/ }));
  expect(screen.getByText("1 row selected")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Stop" }));
  await screen.findByRole("dialog");
  await waitFor(() =>
    expect(asked.find((one) => one.url.pathname.endsWith("/plan"))?.body).toMatchObject({
      rows: ["r-sh020"],
    }),
  );
});

test("each layer has its own first frame", async () => {
  const frame = { name: "0001", state: "done" as const };
  serve({
    night: () => night(ROWS),
    rows: () => ({
      ...detail(ROWS[0] as never),
      frames: [
        { ...frame, picture: "char" },
        { ...frame, picture: "bg" },
      ],
    }),
  });
  window.history.replaceState({}, "", "/studio/plugin/renders?open=r-sh010");
  show();
  const frames = within(await screen.findByRole("list", { name: "Frames" })).getAllByRole("button");
  await userEvent.click(frames[1] as HTMLElement);
  expect(frames.map((one) => one.getAttribute("aria-pressed"))).toEqual(["false", "true"]);
  expect(screen.getByRole("img", { name: "Frame 0001" }).getAttribute("src")).toContain("pictures/bg?");
});

test("a name between backticks is code, whatever it holds", async () => {
  await open({ rows: [row("sh010", "failed", { reason: "`<b>render</b>` failed, and left no reason." })] });
  expect(within(line("sh010")).getByText("<b>render</b>").tagName).toBe("CODE");
});

test("what a row does not allow is said, and not done", async () => {
  const { user } = await open();
  await user.click(screen.getByRole("checkbox", { name: "Select sh020" }));
  await user.click(screen.getByRole("checkbox", { name: "Select sh030" }));
  await user.click(screen.getByRole("button", { name: "Stop 1" }));
  const dialog = await screen.findByRole("dialog");
  expect(await within(dialog).findByText("Nothing of it is under way.")).toBeTruthy();
  expect(within(dialog).getByText("1 row will stay as it is.")).toBeTruthy();
});

test("when something has changed, the plan is shown again, and nothing was done", async () => {
  const { asked, user } = await open();
  let tries = 0;
  const fresh = { ...plan({ action: "stop", rows: ["r-sh020"], settings: null }, ROWS), confirm: "digest-2" };
  const again = serve({
    night: () => night(ROWS),
    rows: () => detail(ROWS[1] as never),
    plan: ({ body }) => plan(body as never, ROWS),
    act: () => {
      tries += 1;
      if (tries === 1) throw new Refusal(409, fresh);
      return { done: ["r-sh020"], failed: [] };
    },
  });
  expect(asked.length).toBeGreaterThan(0);
  await user.click(screen.getByRole("button", { name: "sh020" }));
  const panel = await screen.findByRole("region", { name: "sh020" });
  await user.click(within(panel).getByRole("button", { name: "Stop" }));
  const dialog = await screen.findByRole("dialog");
  await user.click(await within(dialog).findByRole("button", { name: "Stop 1 row" }));
  expect(await within(dialog).findByText(/Something has changed/)).toBeTruthy();
  await user.click(within(dialog).getByRole("button", { name: "Stop 1 row" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(
    again
      .filter((one) => one.url.pathname.endsWith("/act"))
      .map((one) => (one.body as { confirm: string }).confirm),
  ).toEqual(["digest-1", "digest-2"]);
});

test("an action that is refused is a sentence, and can be left", async () => {
  const { user } = await open();
  serve({
    night: () => night(ROWS),
    plan: () => {
      throw new Refusal(403, { error: "You may see these renders, and not change them." });
    },
  });
  await user.click(screen.getByRole("checkbox", { name: "Select sh010" }));
  await user.click(screen.getByRole("button", { name: "Take up" }));
  const dialog = await screen.findByRole("dialog");
  expect(await within(dialog).findByText("You may see these renders, and not change them.")).toBeTruthy();
  expect(within(dialog).getByRole<HTMLButtonElement>("button", { name: /Take up/ }).disabled).toBe(true);
  await user.click(within(dialog).getByRole("button", { name: "Leave as it is" }));
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("other settings are asked for first, and only those that were filled in are sent", async () => {
  const { asked, user } = await open();
  await user.click(screen.getByRole("checkbox", { name: "Select sh010" }));
  await user.click(screen.getByRole("button", { name: "Other settings…" }));
  const dialog = await screen.findByRole("dialog");
  const next = within(dialog).getByRole<HTMLButtonElement>("button", { name: "What would happen?" });
  expect(next.disabled).toBe(true);
  await user.type(within(dialog).getByRole("spinbutton", { name: "Samples" }), "128");
  await user.selectOptions(within(dialog).getByRole("combobox", { name: "Quality" }), "final");
  await user.click(next);
  await waitFor(() =>
    expect(asked.find((one) => one.url.pathname.endsWith("/plan"))?.body).toEqual({
      action: "settings",
      rows: ["r-sh010"],
      settings: { samples: 128, quality: "final" },
    }),
  );
});

test("what could not be done says why, and stays selected", async () => {
  const { user } = await open();
  serve({
    night: () => night(ROWS),
    plan: ({ body }) => plan(body as never, ROWS),
    act: () => ({ done: [], failed: [{ id: "r-sh020", why: "Airflow refuses: the run is gone." }] }),
  });
  await user.click(screen.getByRole("checkbox", { name: "Select sh020" }));
  await user.click(screen.getByRole("button", { name: "Stop" }));
  const dialog = await screen.findByRole("dialog");
  await user.click(await within(dialog).findByRole("button", { name: "Stop 1 row" }));
  expect(await screen.findByText("sh020: Airflow refuses: the run is gone.")).toBeTruthy();
  expect(screen.getByRole<HTMLInputElement>("checkbox", { name: "Select sh020" }).checked).toBe(true);
  await user.click(screen.getByRole("button", { name: "I have read this" }));
  expect(screen.queryByText("sh020: Airflow refuses: the run is gone.")).toBeNull();
});

test("a screen reader hears what is over since the last refresh", async () => {
  vi.useFakeTimers();
  let state: "rendering" | "delivered" = "rendering";
  serve({ night: () => night([row("sh010", state)]) });
  show();
  await act(() => vi.advanceTimersByTimeAsync(100));
  state = "delivered";
  await act(() => vi.advanceTimersByTimeAsync(5_000));
  expect(document.querySelector('[aria-live="polite"]')?.textContent).toBe("sh010: Delivered.");
});

test("the data's age is true after a night's sleep", async () => {
  vi.useFakeTimers();
  serve({ night: () => night(ROWS) });
  show();
  await act(() => vi.advanceTimersByTimeAsync(100));
  vi.stubGlobal("fetch", () => new Promise(() => {}));
  vi.setSystemTime(Date.now() + 3_600_000);
  await act(() => vi.advanceTimersByTimeAsync(1_000));
  expect(screen.getByRole("status").textContent).toContain("data 1 h old");
});

test("a defect of the page is a sentence, and can be tried again", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const broken = { ...row("sh010", "failed"), stages: null as never };
  const { user } = await open({ rows: [broken] });
  expect(screen.getByText("This page has failed. The renders go on.")).toBeTruthy();
  serve({ night: () => night(ROWS) });
  await user.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByRole("button", { name: "sh010" })).toBeTruthy();
});
