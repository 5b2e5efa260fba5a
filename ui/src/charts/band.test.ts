import { expect, test } from "vitest";
import { bandOf, nearest } from "@/charts/band";
import type { Line } from "@/charts/LineChart";

function line(x: number[], y: number[], extremes: Partial<Line> = {}): Line {
  return { id: String(y[0]), name: "a", colour: "", x, y, ...extremes };
}

test("the band is the lowest and the highest at each place, its line the median", () => {
  const band = bandOf([line([0, 1, 2], [1, 2, 3]), line([0, 1, 2], [3, 2, 9]), line([0, 1, 2], [2, 2, 4])]);
  expect([...band.x]).toEqual([0, 1, 2]);
  expect([[...band.low], [...band.middle], [...band.high]]).toEqual([[1, 2, 3], [2, 2, 4], [3, 2, 9]]);
});

test("lines with points elsewhere count where they pass, and nowhere beyond their ends", () => {
  const band = bandOf([line([0, 4], [0, 4]), line([1, 2], [10, 20])]);
  expect([...band.x]).toEqual([0, 1, 2, 4]);
  expect([...band.middle]).toEqual([0, 5.5, 11, 4]);
  expect([...band.high]).toEqual([0, 10, 20, 4]);
});

test("one step that stands out is in the band of many points, and in that of buckets", () => {
  const x = Array.from({ length: 5000 }, (_, at) => at);
  const spiked = line(x, x.map((at) => (at === 3333 ? 99 : 1)));
  expect(Math.max(...bandOf([spiked, line(x, x.map(() => 2))]).high)).toBe(99);
  const buckets = line([0, 100], [1, 1], { min: [0.5, 1], max: [1, 40] });
  expect([...bandOf([buckets]).low, ...bandOf([buckets]).high]).toEqual([0.5, 1, 1, 40]);
});

test("what is no number leaves a gap", () => {
  const band = bandOf([line([0, 1, 2], [1, NaN, 3])]);
  expect([...band.middle]).toEqual([1, NaN, 3]);
  expect([...band.low]).toEqual([1, NaN, 3]);
});

test("the nearest of two places, and the only one", () => {
  expect([nearest([0, 10], 4), nearest([0, 10], 6), nearest([7], 100), nearest([], 1)]).toEqual([0, 1, 0, -1]);
});
