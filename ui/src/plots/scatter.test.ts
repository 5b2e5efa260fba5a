import { expect, test } from "vitest";
import { dimensionOf } from "@/plots/dimension";
import { scaleOf } from "@/plots/scale";
import { nearestPoint, pointsOf, shift, trendOf } from "@/plots/scatter";

const x = dimensionOf("params.x", "x", [1, 2, 3, 4, null]);
const y = dimensionOf("metrics.y", "y", [2, 4, 6, "NaN", 1]);
const all = [0, 1, 2, 3, 4];
const points = pointsOf(x, y, scaleOf(x, [0, 100]), scaleOf(y, [100, 0]), all);

test("only runs with a place on both axes are points", () => expect(points.runs).toEqual([0, 1, 2]));
test("a logarithmic axis leaves out what is not above zero", () => {
  const some = dimensionOf("metrics.z", "z", [0, -1, 10, 100, 1]);
  expect(pointsOf(some, x, scaleOf(some, [0, 1], { log: true }), scaleOf(x, [0, 1]), all).runs).toEqual([2, 3]);
});
test("points on a line give that line, and all of their spread", () => {
  const trend = trendOf(points);
  expect(trend?.share).toBeCloseTo(1);
  expect((trend?.start ?? 0) + (trend?.slope ?? 0) * (points.x[1] ?? 0)).toBeCloseTo(points.y[1] ?? NaN);
});
test("two points, or all with one x, give no line", () => {
  expect(trendOf({ runs: [0, 1], x: Float64Array.of(0, 1), y: Float64Array.of(0, 1) })).toBeNull();
  expect(trendOf({ runs: [0, 1, 2], x: Float64Array.of(5, 5, 5), y: Float64Array.of(0, 1, 2) })).toBeNull();
});
test("the nearest point within reach is found", () => {
  expect(nearestPoint(points, points.x[1] ?? 0, (points.y[1] ?? 0) + 3, 8)).toBe(1);
  expect(nearestPoint(points, -50, -50, 8)).toBe(-1);
});
test("runs of a category are spread within their room, each always alike", () => {
  const shifts = all.map(shift);
  expect(new Set(shifts).size).toBe(all.length);
  expect(shifts.every((one) => Math.abs(one) <= 0.5)).toBe(true);
});
