import { expect, test } from "vitest";
import { spread } from "@/plots/canvas";
import { dimensionOf } from "@/plots/dimension";
import { linesOf, nearestLine, pathOf, SHELF } from "@/plots/parallel";
import { scaleOf } from "@/plots/scale";

const HEIGHT = 100;
const dimensions = [dimensionOf("params.a", "a", [0, 10, null]), dimensionOf("metrics.b", "b", [0, 10, 5])];
const lines = linesOf(dimensions, dimensions.map((dimension) => scaleOf(dimension, [HEIGHT, 0])), [0, 50], HEIGHT);

test("a run without a value passes below the axis", () => {
  expect(lines.ys[0]?.[2]).toBe(HEIGHT + SHELF);
  expect(pathOf(lines, 1)).toBe("M0 0L50 0");
});
test("the nearest line is found between the axes and beyond them, within reach", () => {
  expect(nearestLine(lines, [0, 1, 2], 25, 98, 8)).toBe(0);
  expect(nearestLine(lines, [0, 1, 2], 80, 3, 8)).toBe(1);
  expect(nearestLine(lines, [0, 1, 2], 49, 50, 8)).toBe(2);
  expect(nearestLine(lines, [0, 1], 25, 50, 8)).toBe(-1);
});
test.each([5, 100, 7919, 10_000])("%d things are spread without loss", (count) => {
  const items = Array.from({ length: count }, (_, at) => at);
  expect([...spread(items)].sort((a, b) => a - b)).toEqual(items);
});
