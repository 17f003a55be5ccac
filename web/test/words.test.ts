import { beforeEach, expect, test } from "vitest";
import { allowed, duration, moment, money, normalized, range, several, stateName, value } from "../src/words";

beforeEach(() => localStorage.clear());

test.each([
  [null, "–"],
  [Number.NaN, "–"],
  [-3, "0 s"],
  [0, "0 s"],
  [59.4, "59 s"],
  [60, "1 min"],
  [3570, "1 h"],
  [3599, "1 h"],
  [11_100, "3 h 5 min"],
  [187_200, "2 d 4 h"],
])("%s seconds are %s", (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});

test("a range says its unit once where it is the same", () => {
  expect(range(1200, 3500)).toBe("20 to 58 min");
  expect(range(30, 120)).toBe("30 s to 2 min");
  expect(range(1200, 3900)).toBe("20 min to 1 h 5 min");
  expect(range(60, 61)).toBe("1 min");
});

test("money has its currency, and an unknown one is no error", () => {
  expect(money({ amount: 1234.5, currency: "EUR" })).toBe("€1,234.50");
  expect(allowed({ normalized_seconds: 1_234, money: null })).toBe("1,234 s");
  expect(allowed({ normalized_seconds: 1_234, money: { amount: 2, currency: "EUR" } })).toBe("€2.00");
  expect(money({ amount: 3, currency: "no currency" })).toBe("3.00 no currency");
});

test("few normalized seconds are exact", () => {
  expect([normalized(4.13), normalized(1234.5), normalized(null)]).toEqual(["4.1 s", "1,235 s", "–"]);
});

test("a moment of another day says its day, in the time zone chosen in Airflow", () => {
  localStorage.setItem("timezone", JSON.stringify("Asia/Tokyo"));
  const now = new Date("2026-11-27T02:00:00Z");
  expect(moment("2026-11-27T04:20:00Z", now)).toBe("13:20");
  expect(moment("2026-11-27T16:20:00Z", now)).toMatch(/^Sat,? 28 Nov, 01:20$/);
  expect(moment("nonsense", now)).toBe("–");
});

test.each(['"Mars/Olympus"', "{", "3"])("a time zone %s is the browser's own", (stored) => {
  localStorage.setItem("timezone", stored);
  expect(moment("2026-11-27T04:20:00Z", new Date("2026-11-27T02:00:00Z"))).toMatch(/\d\d:20/);
});

test("one row, many rows", () => {
  expect([several(1, "row"), several(1200, "row")]).toEqual(["1 row", "1,200 rows"]);
});

test("a state that is new is its own name", () => {
  expect([stateName("failed"), stateName("dreaming")]).toEqual(["Failed", "dreaming"]);
});

test("a value is one line", () => {
  expect([value("x"), value(3), value(["1-2"]), value(null), value(false)]).toEqual([
    "x",
    "3",
    '["1-2"]',
    "–",
    "false",
  ]);
});
