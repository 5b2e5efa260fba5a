import { expect, test } from "vitest";
import { boxesOf, quantile } from "@/plots/box";
import { dimensionOf } from "@/plots/dimension";

test("quantiles lie between neighbours in proportion", () => {
  expect([quantile([1, 2, 3, 4], 0.25), quantile([1, 2, 3, 4], 0.5), quantile([7], 0.75)]).toEqual([1.75, 2.5, 7]);
});
test("a box a category, whiskers within reach, the rest apart; NaN and what has no category is left out", () => {
  const by = dimensionOf("params.opt", "opt", ["a", "a", "a", "a", "a", "b", null, "b"]);
  const y = dimensionOf("metrics.y", "y", [1, 2, 3, 4, 100, 5, 6, "NaN"]);
  const boxes = boxesOf(by, y, [0, 1, 2, 3, 4, 5, 6, 7], (at) => by.categories[at] ?? "");
  expect(boxes.map((box) => [box.name, box.runs.length, box.low, box.median, box.high])).toEqual([["a", 5, 1, 3, 4], ["b", 1, 5, 5, 5]]);
  expect(boxes[0]?.apart).toEqual([4]);
});
test("equal values make a flat box", () => {
  const y = dimensionOf("metrics.y", "y", [2, 2, 2]);
  const [box] = boxesOf(dimensionOf("params.n", "n", [8, 8, 8]), y, [0, 1, 2], String);
  expect([box?.name, box?.low, box?.first, box?.third, box?.high]).toEqual(["8", 2, 2, 2, 2]);
});
