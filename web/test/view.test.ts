import { expect, test } from "vitest";
import { isStuck, keepSame, news, parseView, show, silence, writeView } from "../src/view";
import { night, row } from "./sample";

const view = (query: string) => parseView(new URLSearchParams(query));
const names = (query: string, rows = ROWS) => show(night(rows), view(query)).rows.map((one) => one.name);
const ROWS = [
  row("sh20", "delivered"),
  row("sh3", "rendering", { sequence: "b", normalized_seconds: 5 }),
  row("sh10", "failed", { sequence: "a", normalized_seconds: 9 }),
];

test("a view survives its address, and the default one needs none", () => {
  const query = "state=failed%2Crendering&q=out+of&sequence=a&sort=-cost&hours=72&as=pictures&open=r-1";
  expect(writeView(view(query), new URLSearchParams()).toString()).toBe(query);
  expect(writeView(view(""), new URLSearchParams()).toString()).toBe("");
});

test("what others have put into the address stays there", () => {
  expect(writeView({ ...view(""), text: "x" }, new URLSearchParams("try_number=2")).toString()).toBe(
    "try_number=2&q=x",
  );
});

test("nonsense in the address is as if it were not there", () => {
  expect(view("state=dreaming&sort=beauty&hours=-1")).toEqual(view(""));
});

test("what needs a person is first, and names count as people do", () => {
  expect(names("")).toEqual(["sh10", "sh3", "sh20"]);
  expect(names("sort=name")).toEqual(["sh3", "sh10", "sh20"]);
});

test("what is not known comes last", () => {
  expect(names("sort=cost", [...ROWS, row("sh1", "waiting")])).toEqual(["sh3", "sh10", "sh20", "sh1"]);
});

test("filters meet, and chips count what the others leave", () => {
  expect(names("state=failed")).toEqual(["sh10"]);
  expect(names("q=OUT+memory")).toEqual(["sh10"]);
  expect(names("sequence=b")).toEqual(["sh3"]);
  const shown = show(night(ROWS), view("state=failed&sequence=b"));
  expect([shown.rows.length, [...shown.counts], shown.sequences]).toEqual([
    0,
    [["rendering", 1]],
    ["a", "b"],
  ]);
});

test("a slow frame is not stuck, and a silent render is", () => {
  const now = "2026-11-27T03:00:00Z";
  const slow = { likely: 17 * 600, least: 1, most: 2 };
  const silent = (minutes: number) => new Date(Date.parse(now) - minutes * 60_000).toISOString();
  expect(isStuck(row("a", "rendering", { last_sign: silent(9) }), now)).toBe(false);
  expect(isStuck(row("a", "rendering", { last_sign: silent(11) }), now)).toBe(true);
  expect(isStuck(row("a", "rendering", { last_sign: silent(40), remaining: slow }), now)).toBe(false);
  expect(isStuck(row("a", "queued", { last_sign: silent(60) }), now)).toBe(false);
  expect(silence(row("a", "delivered", { last_sign: silent(60) }), now)).toBeNull();
});

test("a stuck render comes before those that are well", () => {
  const stuck = row("sh99", "rendering", { last_sign: "2026-11-27T01:00:00Z" });
  expect(names("", [...ROWS, stuck])).toEqual(["sh10", "sh99", "sh3", "sh20"]);
});

test("a row that has not changed is the same object, so it is not painted again", () => {
  const before = night(ROWS);
  const after = keepSame(before, night([{ ...ROWS[0] } as never, row("sh3", "finishing")]));
  expect(after.rows[0]).toBe(ROWS[0]);
  expect(after.rows[1]?.state).toBe("finishing");
});

test("news are the rows that are over now and were not before", () => {
  const over = ["a", "b", "c", "d", "e"];
  const before = night([...over.map((name) => row(name, "rendering")), row("f", "failed")]);
  const after = night([
    ...over.map((name) => row(name, "delivered")),
    row("f", "failed"),
    row("g", "failed"),
  ]);
  expect(news(before, after)).toBe("a: Delivered. b: Delivered. c: Delivered. And 2 more.");
  expect(news(null, after)).toBe("");
});
