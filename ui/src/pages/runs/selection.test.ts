import { expect, test } from "vitest";
import { filterOf, type Chosen } from "@/pages/runs/bulk";
import { withoutUnticked } from "@/pages/runs/selection";

test("rows that are unticked leave everything, those out of sight stay as they are", () => {
  expect(withoutUnticked(new Set(["far", "b"]), ["a", "b", "c"], new Set(["a", "b"]))).toEqual(new Set(["far", "c"]));
});

const CHOSEN: Chosen = { experimentId: "1", ids: null, except: [], filter: "metrics.loss < 1", deleted: false, snapshot: undefined, size: 9 };

test("chosen runs are selected by a filter where it is short enough for an address", () => {
  expect(filterOf(CHOSEN)).toBe("metrics.loss < 1");
  expect(filterOf({ ...CHOSEN, except: ["a", "b"] })).toContain("run_id NOT IN ('a', 'b')");
  expect(filterOf({ ...CHOSEN, ids: ["a"] })).toBe("run_id IN ('a')");
  expect(filterOf({ ...CHOSEN, ids: Array.from({ length: 101 }, String) })).toBeNull();
});
