import { expect, it } from "vitest";
import { linesOf, MEASURES, versionsOf } from "@/pages/endpoint/series";

const WINDOW = { start_time: 600_000, end_time: 1_200_000, step_minutes: 5 };
const FIGURES = [
  { endpoint: "e", time: 600_000, step: 300_000, version: "10", requests: 30, p50: 0.02 },
  { endpoint: "e", time: 900_000, step: 300_000, version: "9", requests: 60, errors: 15, p50: 0.01 },
];
const measure = (key: string) => {
  const found = MEASURES.find((one) => one.key === key);
  if (!found) throw new Error(key);
  return found;
};

it("makes a line a version, by number, with a zero where there were no requests", () => {
  expect(versionsOf(FIGURES)).toEqual(["9", "10"]);
  const lines = linesOf(FIGURES, measure("rate"), WINDOW);
  expect(lines.map(({ id, x, y }) => [id, x, y])).toEqual([["9", [600, 900], [0, 0.2]], ["10", [600, 900], [0.1, 0]]]);
  expect(lines[0]?.colour).not.toBe(lines[1]?.colour);
});

it("has no latency and no share of errors where there were no requests", () => {
  expect(linesOf(FIGURES, measure("p50"), WINDOW).map(({ x, y }) => [x, y])).toEqual([[[900], [10]], [[600], [20]]]);
  expect(linesOf(FIGURES, measure("errors"), WINDOW).map(({ y }) => y)).toEqual([[25], [0]]);
});

it("leaves out figures beyond the window", () => {
  expect(linesOf([{ endpoint: "e", time: 1_500_000, step: 1, version: "1", requests: 5 }], measure("rate"), WINDOW)[0]?.y).toEqual([0, 0]);
});
