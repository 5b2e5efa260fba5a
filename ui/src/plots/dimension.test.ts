import { describe, expect, test } from "vitest";
import { dimensionOf, varies } from "@/plots/dimension";

describe("a column becomes", () => {
  test("numbers, though parameters are texts", () => {
    const made = dimensionOf("params.lr", "lr", ["1e-5", "0.1", "0.01"]);
    expect(made.kind).toBe("number");
    expect([...made.values]).toEqual([1e-5, 0.1, 0.01]);
    expect(made.domain).toEqual([1e-5, 0.1]);
    expect(made.wide).toBe(true);
  });
  test("numbers, of which NaN, infinities and what is missing have no place", () => {
    const made = dimensionOf("metrics.loss", "loss", [1, "NaN", "Infinity", null, 3]);
    expect(made.kind).toBe("number");
    expect([...made.values]).toEqual([1, NaN, NaN, NaN, 3]);
    expect([made.domain, made.without, made.wide]).toEqual([[1, 3], 3, false]);
  });
  test("numbers still, when one text is among them", () => {
    const made = dimensionOf("params.lr", "lr", ["0.1", "0.2", "0.3", "0.4", "search"]);
    expect([made.kind, made.without]).toEqual(["number", 1]);
  });
  test("categories in the order of a reader", () => {
    const made = dimensionOf("params.opt", "opt", ["v10", "v2", null, "v10"]);
    expect([made.kind, made.categories, made.without, made.domain]).toEqual(["category", ["v2", "v10"], 1, [0, 1]]);
    expect([...made.values]).toEqual([1, 0, NaN, 1]);
  });
  test("empty, when no run has it", () => expect(dimensionOf("metrics.a", "a", [null, undefined]).domain).toBeNull());
  test("nothing logarithmic, when only one of many values is tiny", () => {
    const even = Array.from({ length: 1000 }, (_, at) => (at + 0.001) / 1000);
    expect(dimensionOf("metrics.a", "a", even).wide).toBe(false);
    expect(dimensionOf("metrics.a", "a", even.map((share) => 10 ** (-4 * share))).wide).toBe(true);
  });
  test("nothing logarithmic, when a value is zero or below", () => expect(dimensionOf("metrics.a", "a", [0, 1000]).wide).toBe(false));
});

test("a column varies when a value or its absence differs", () => {
  expect([varies(["1", "1"]), varies(["1", null]), varies([1, 2]), varies([null, undefined]), varies([])]).toEqual([false, true, true, false, false]);
});
