import { expect, it } from "vitest";
import type { Finding, WindowFindings } from "@/api/schema";
import { linesOf, readThresholds, tableOf, thresholdText } from "@/pages/endpoint/drift";

const window = (end_time: number, findings: Finding[]): WindowFindings => ({
  endpoint: "e", time: end_time, findings, window: { start_time: 0, end_time, first_sequence: 1, last_sequence: 2 },
});
const NEWEST = window(20_000, [
  { statistic: "error_rate", value: 0.1 }, { statistic: "ks", column: "b", value: 0.2, limit: 0.1, state: "exceeded" },
  { statistic: "psi", column: "b", value: 0.3 }, { statistic: "psi", column: "a", value: 0.01, limit: 0.1 },
]);

it("makes a table of columns and statistics", () => {
  const { statistics, rows } = tableOf(NEWEST);
  expect(statistics).toEqual(["psi", "ks", "error_rate"]);
  expect(rows.map((row) => row.column)).toEqual(["a", "b", ""]);
  expect(rows[1]?.of.get("ks")?.state).toBe("exceeded");
  expect(rows[0]?.of.get("ks")).toBeUndefined();
  expect(tableOf(undefined)).toEqual({ statistics: [], rows: [] });
});

it("makes lines over time, with the limit where there is one", () => {
  const older = window(10_000, [{ statistic: "psi", column: "a", value: "NaN" }, { statistic: "ks", column: "b", value: 0.05 }]);
  expect(linesOf([NEWEST, older], "ks", "b").map(({ id, x, y }) => [id, x, y])).toEqual([["ks", [10, 20], [0.05, 0.2]], ["limit", [20], [0.1]]]);
  expect(linesOf([NEWEST, older], "psi", "a")[0]?.x).toEqual([20]);
  expect(linesOf([NEWEST, older], "error_rate", "")).toHaveLength(1);
});

it("reads and writes thresholds", () => {
  const thresholds = [{ statistic: "psi", limit: 0.2 }, { statistic: "psi", limit: 0.1, column: "a:b" }];
  expect(readThresholds(thresholdText(thresholds))).toEqual(thresholds);
  expect(readThresholds("\n  ")).toEqual([]);
  for (const wrong of ["psi", "=1", "psi=", "psi=much"]) expect(() => readThresholds(wrong)).toThrow("no threshold");
});
