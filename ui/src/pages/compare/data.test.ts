import { expect, test } from "vitest";
import type { RunColumn } from "@/api/schema";
import { chosenByDefault, columnsToRead, comparisonOf } from "@/pages/compare/data";
import { difference, sorted } from "@/pages/compare/RunsGrid";

const column = (kind: string, key: string): RunColumn => ({ kind, key, type: "float", count: 1, distinct: 2 });
const many = [...Array.from({ length: 6000 }, (_, at) => column("metric", `m${at}`)), ...Array.from({ length: 6000 }, (_, at) => column("param", `p${at}`))];

test("of 12,000 keys the most used are read, and always those that are chosen", () => {
  const read = columnsToRead(many, 200, ["metrics.m5999", "attributes.status"]);
  expect(read).toHaveLength(401);
  expect(read).toContain("metrics.m5999");
  expect(read).not.toContain("attributes.status");
  expect(columnsToRead(many, 10_000, [])).toHaveLength(30);
});
test("few keys are all read, but for those of MLflow's own", () => {
  expect(columnsToRead([column("metric", "loss"), column("param", "lr"), column("param", "mlflow.x")], 3, [])).toEqual(["params.lr", "metrics.loss"]);
});

const comparison = comparisonOf({
  ids: ["a", "b", "c"], total: 3,
  cols: {
    "attributes.run_name": ["one", null, "three"], "metrics.loss": [0.3, "NaN", 0.1], "params.lr": ["0.1", "0.1", "0.1"], "params.opt": ["sgd", "adam", null], "metrics.none": [null, null, null],
  },
}, [column("metric", "loss"), column("metric", "elsewhere")], ["1", "2"]);

test("what varies is told, parameters first, and what no cell was read of is empty", () => {
  expect(comparison.varying).toEqual(["params.opt", "metrics.loss"]);
  expect(comparison.runs.map((run) => run.name)).toEqual(["one", "b", "three"]);
  expect(comparison.dimension("metrics.elsewhere").domain).toBeNull();
  expect(comparison.keys.map((key) => key.id)).toContain("attributes.experiment_id");
  expect(chosenByDefault(comparison)).toEqual({ params: ["params.opt"], metrics: ["metrics.loss"], numbers: [], categories: ["params.opt"] });
});
test("runs are ordered by a column, NaN and what is missing last in both directions", () => {
  expect(sorted(comparison, [0, 1, 2], "metrics.loss").map((row) => row.id)).toEqual(["c", "a", "b"]);
  expect(sorted(comparison, [0, 1, 2], "-metrics.loss").map((row) => row.id)).toEqual(["a", "c", "b"]);
  expect(sorted(comparison, [2, 0], "").map((row) => row.id)).toEqual(["c", "a"]);
});
test("a difference is told as the reference's value, the distance and the share", () => {
  expect(difference(0.3, 0.2)).toBe("reference 0.2, +0.1 (+50 %)");
  expect(difference("sgd", "adam")).toBe("reference adam");
  expect(difference("1", null)).toBe("the reference run has none");
  expect(difference("NaN", 2)).toBe("reference 2");
});
