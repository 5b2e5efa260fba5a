import { expect, test } from "vitest";
import { styleOf, viridis } from "@/charts/colours";
import { aligned, smoothed, summary } from "@/charts/series";

const line = (id: string, x: number[], y: number[], more = {}) => ({ id, name: id, colour: "#000000", x, y, ...more });

test("lines with steps of their own share one axis", () => {
  const { data, series } = aligned([line("a", [0, 2], [1, 3]), line("b", [1, 2], [5, 6])], 0);
  expect(Array.from(data[0])).toEqual([0, 1, 2]);
  expect(data.slice(1)).toEqual([[1, undefined, 3], [undefined, 5, 6]]);
  expect(series.map(({ kind }) => kind)).toEqual(["value", "value"]);
});

test("a spike within a bucket is drawn, what is no number is a gap", () => {
  const { data, series } = aligned([line("a", [0, 1], [1, Number.NaN], { min: [1, 1], max: [1, 99] })], 0);
  expect(series.map(({ kind }) => kind)).toEqual(["max", "min", "value"]);
  expect(data.slice(1)).toEqual([[1, 99], [1, 1], [1, null]]);
});

test("buckets of one point have no band", () => expect(aligned([line("a", [0], [1], { min: [1], max: [1] })], 0).series).toHaveLength(1));

test("smoothing begins at the first value and keeps what is constant", () => {
  expect(Array.from(smoothed([4, 4, 4], 0.9)).map((value) => Math.round(value * 1e9) / 1e9)).toEqual([4, 4, 4]);
  expect(smoothed([1, 5], 0.5)[0]).toBe(1);
  expect(Array.from(smoothed([1, Number.NaN, 3], 0.5))[1]).toBeNaN();
});

test("a chart is told in words", () => expect(summary("loss", [line("a", [0, 1], [2, 0.5])])).toBe("loss, 1 line. a: from 2 to 0.5"));

test("runs beyond the tenth have dashes", () => {
  expect(styleOf(3)).toEqual({ colour: "var(--run-3)", dash: [] });
  expect(styleOf(13).colour).toBe("var(--run-3)");
  expect(styleOf(13).dash).not.toEqual([]);
});

test("viridis goes from dark to light", () => expect([viridis(0), viridis(1)]).toEqual(["rgb(68 1 84)", "rgb(253 231 37)"]));
