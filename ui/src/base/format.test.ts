import { describe, expect, test } from "vitest";
import { ago, bytes, counted, digitsFor, duration, iso, middle, number } from "@/base/format";

describe("number", () => {
  test.each([
    [0, "0"], [-0, "0"], [12, "12"], [999_999, "999999"], [1_000_000, "1e6"], [1_234_567, "1.23457e6"],
    [0.1 + 0.2, "0.3"], [0.0001, "0.0001"], [0.00009, "9e−5"], [-0.5, "−0.5"], [-2.5e-7, "−2.5e−7"],
    [0.792819213, "0.792819"], [1e300, "1e300"], [123.456789, "123.457"], [999_999.7, "1e6"],
  ])("writes %d as %s", (value, text) => expect(number(value)).toBe(text));

  test("knows what JSON has no number for", () => {
    expect([number("NaN"), number("Infinity"), number("-Infinity")]).toEqual(["NaN", "∞", "−∞"]);
    expect([number(null), number(undefined), number("")]).toEqual(["", "", ""]);
  });

  test("keeps to the digits of its column", () => expect(number(0.123456, 3)).toBe("0.123"));
});

describe("digitsFor", () => {
  test("is three when that tells all apart", () => expect(digitsFor([0.1234, 0.5678, null, "NaN"])).toBe(3));
  test("grows with what is alike", () => expect(digitsFor([0.91231, 0.91234])).toBe(5));
  test("ends at six", () => expect(digitsFor([0.12345678, 0.12345679])).toBe(6));
});

describe("duration", () => {
  test.each([
    [0, "0ms"], [340, "340ms"], [4_200, "4.2s"], [59_960, "1m"], [852_000, "14.2m"], [3_599_000, "1h"],
    [86_399_000, "1d"], [86_400_000, "1d"], [273_600_000, "3d 4h"], [-5, ""], [Number.NaN, ""],
  ])("writes %d as %s", (value, text) => expect(duration(value)).toBe(text));
});

describe("ago", () => {
  const now = Date.UTC(2026, 10, 21, 12);
  test.each([
    [0, "now"], [42_000, "42s ago"], [300_000, "5m ago"], [7_200_000, "2h ago"], [172_800_000, "2d ago"],
    [90 * 86_400_000, "2026-08-23"],
  ])("%d before", (before, text) => expect(ago(now - before, now)).toBe(text));
});

test("bytes", () => expect([0, 999, 1500, 999_700, 3_200_000, 45_000_000_000].map(bytes))
  .toEqual(["0 B", "999 B", "1.5 kB", "1.0 MB", "3.2 MB", "45 GB"]));
test("counted", () => expect([counted(1, "run"), counted(2000, "run"), counted(2, "entry", "entries")])
  .toEqual(["1 run", "2,000 runs", "2 entries"]));
test("middle", () => expect([middle("short", 10), middle("a-very-long-name-v2", 10)]).toEqual(["short", "a-ver…e-v2"]));
test("iso", () => expect(iso(0)).toBe("1970-01-01T00:00:00.000Z"));
