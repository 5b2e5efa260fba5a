import { expect, test } from "vitest";
import { brushText, kept, readBrush } from "@/plots/brush";
import { dimensionOf } from "@/plots/dimension";

const loss = dimensionOf("metrics.loss", "loss", [0.1, 0.5, "NaN", 0.9]);
const kind = dimensionOf("params.a|b", "a|b", ["adam, w", "sgd", "sgd", "lion"]);
const both = [loss, kind];

test("a range keeps what lies within it, its ends included, and nothing without a value", () => {
  expect(kept(both, new Map([["metrics.loss", [0.1, 0.5]]]), 4)).toEqual([0, 1]);
  expect(kept(both, new Map(), 4)).toEqual([0, 1, 2, 3]);
});
test("several ranges keep what lies within all of them", () => {
  expect(kept(both, new Map([["metrics.loss", [0.2, 1]], ["params.a|b", [1.5, 2.5]]]), 4)).toEqual([1]);
});
test("a brush goes into the address and comes back", () => {
  const brush = new Map<string, readonly [number, number]>([["metrics.loss", [0.2, 0.95]], ["params.a|b", [-0.3, 1.2]]]);
  const texts = brushText(both, brush);
  expect(texts).toEqual(["metrics.loss|0.2|0.95", "params.a|b|adam%2C%20w|lion"]);
  expect(readBrush(both, texts)).toEqual(new Map([["metrics.loss", [0.2, 0.95]], ["params.a|b", [-0.5, 1.5]]]));
});
test("what an address has of columns or categories that are gone is left out", () => {
  expect(readBrush(both, ["metrics.gone|1|2", "params.a|b|none|none", "metrics.loss|x|1", "broken"]).size).toBe(0);
});
