import { expect, test } from "vitest";
import { dimensionOf } from "@/plots/dimension";
import { importance, rankCorrelation, rankRatio, ranks } from "@/plots/ranks";

test("equal values share a rank", () => expect([...ranks([10, 30, 20, 20])]).toEqual([1, 4, 2.5, 2.5]));
test("what rises together has the rank correlation 1, whatever the shape", () => {
  expect(rankCorrelation([1, 2, 3, 4], [1, 10, 100, 1e6])).toBe(1);
  expect(rankCorrelation([1, 2, 3, 4], [4, 3, 2, 1])).toBe(-1);
});
test("ties are counted as Spearman's coefficient has them", () => expect(rankCorrelation([1, 2, 2, 3, 4], [1, 3, 2, 5, 4])).toBeCloseTo(0.872_08, 5));
test("one value alone has none", () => expect([rankCorrelation([1, 1, 1], [1, 2, 3]), rankRatio([0, 0, 0], [1, 2, 3])]).toEqual([null, null]));
test("groups that part the values explain all but what is within them", () => {
  expect(rankRatio([0, 0, 1, 1], [1, 1, 5, 5])).toBeCloseTo(1);
  expect(rankRatio([0, 1, 0, 1], [1, 1, 5, 5])).toBeCloseTo(0);
  expect(rankRatio([0, 1, 2, 3], [1, 2, 3, 4])).toBeNull();
});
test("importance orders columns by how much they go with the target; those that cannot be told are left out", () => {
  const target = dimensionOf("metrics.loss", "loss", [4, 3, 2, 1, "NaN"]);
  const found = importance(target, [
    dimensionOf("params.noise", "noise", [1, 3, 2, 4, 9]), dimensionOf("params.lr", "lr", ["1", "2", "3", "4", "0"]), dimensionOf("params.same", "same", ["a", "a", "a", "a", "a"]),
    dimensionOf("params.opt", "opt", ["x", "x", "y", "y", null]), dimensionOf("params.rare", "rare", [1, null, null, null, 2]), target,
  ], [0, 1, 2, 3, 4]);
  expect(found.map(({ dimension, sign, count }) => [dimension.title, sign, count])).toEqual([["lr", -1, 4], ["opt", 0, 4], ["noise", -1, 4]]);
  expect(found[0]?.weight).toBe(1);
});
