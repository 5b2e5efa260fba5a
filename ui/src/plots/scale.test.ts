import { expect, test } from "vitest";
import { dimensionOf } from "@/plots/dimension";
import { scaleOf } from "@/plots/scale";

const HEIGHT = 100;
const of = (...cells: (number | string | null)[]) => dimensionOf("metrics.a", "a", cells);

test("a linear axis goes from its lowest to its highest value, and back", () => {
  const scale = scaleOf(of(0, 10), [HEIGHT, 0]);
  expect([scale.place(0), scale.place(10), scale.place(5)]).toEqual([100, 0, 50]);
  expect(scale.value(50)).toBe(5);
  expect(scale.ticks[0]?.label).toBe("0");
});
test("a flipped axis is the other way round", () => expect(scaleOf(of(0, 10), [HEIGHT, 0], { flip: true }).place(0)).toBe(0));
test("a logarithmic axis has equal steps for equal ratios; zero and below have no place on it", () => {
  const scale = scaleOf(of(-1, 0, 0.01, 1, 100), [0, HEIGHT], { log: true });
  expect([0.01, 1, 100].map((value) => Math.round(scale.place(value)))).toEqual([0, 50, 100]);
  expect([scale.place(0), scale.place(-1), scale.place(NaN), scale.log]).toEqual([NaN, NaN, NaN, true]);
  expect(scale.ticks.map((tick) => tick.label)).toContain("0.01");
});
test("many decades get as many ticks as there is room for, all of them powers", () => {
  const { ticks } = scaleOf(of(1e-12, 1e12), [0, HEIGHT], { log: true, ticks: 5 });
  expect(ticks.length).toBeLessThanOrEqual(6);
  expect(ticks.every(({ value }) => Number.isInteger(Math.round(Math.log10(value) * 1e6) / 1e6))).toBe(true);
});
test("a logarithm of nothing above zero stays linear", () => expect(scaleOf(of(-5, 0), [0, HEIGHT], { log: true }).log).toBe(false));
test.each([[7], [0], [-3]])("one value, %d, lies in the middle with its tick", (value) => {
  const scale = scaleOf(of(value, value, value), [HEIGHT, 0]);
  expect(scale.place(value)).toBeCloseTo(50, 0);
  expect(scale.ticks).toHaveLength(1);
});
test("one value lies in the middle of a logarithmic axis too", () => expect(scaleOf(of(5), [0, HEIGHT], { log: true }).place(5)).toBeCloseTo(50));
test("what is no number has no place", () => {
  const scale = scaleOf(of(1, 2, "NaN", "Infinity"), [0, HEIGHT]);
  expect([scale.place(NaN), scale.place(Infinity)]).toEqual([NaN, NaN]);
});
test("no value at all: no ticks, no places", () => {
  const scale = scaleOf(of(null, "NaN"), [0, HEIGHT]);
  expect([scale.place(1), scale.ticks]).toEqual([NaN, []]);
});
test("categories lie side by side, each with a tick; one alone lies in the middle", () => {
  const scale = scaleOf(of("a", "b", "c"), [0, 90]);
  expect([0, 1, 2].map(scale.place)).toEqual([15, 45, 75]);
  expect(scale.ticks.map((tick) => tick.label)).toEqual(["a", "b", "c"]);
  expect(scaleOf(of("only"), [0, HEIGHT]).place(0)).toBe(50);
});
test("of a thousand categories only some have a tick", () => {
  const scale = scaleOf(of(...Array.from({ length: 1000 }, (_, at) => `name ${at}`)), [0, HEIGHT], { ticks: 5 });
  expect(scale.ticks.length).toBeLessThanOrEqual(15);
});
