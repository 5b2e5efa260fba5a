import { expect, test } from "vitest";
import type { Run } from "@/api/schema";
import { modelFolders, pinnedFirst, progressOf, tookOf } from "@/pages/run/state";

function run(info: Partial<Run["info"]>, tags: Record<string, string> = {}): Run {
  return { info: { run_id: "r", experiment_id: "1", ...info }, data: { tags: Object.entries(tags).map(([key, value]) => ({ key, value })) } };
}

test("a run took what lies between its start and its end, a running one until now", () => {
  expect(tookOf(run({ start_time: 100, end_time: 400, status: "FINISHED" }), 900)).toBe(300);
  expect(tookOf(run({ start_time: 100, status: "RUNNING" }), 900)).toBe(800);
  expect(tookOf(run({ start_time: 100, status: "KILLED" }), 900)).toBeNull();
  expect(tookOf(run({ status: "SCHEDULED" }), 900)).toBeNull();
});

test("folders of models are read from the history tag, once each, and from nothing else", () => {
  const history = JSON.stringify([{ artifact_path: "model" }, { artifact_path: "model" }, { artifact_path: "b/c" }, {}]);
  expect(modelFolders(run({}, { "mlflow.log-model.history": history }))).toEqual(["model", "b/c"]);
  expect(modelFolders(run({}, { "mlflow.log-model.history": "[" }))).toEqual([]);
  expect(modelFolders(run({}))).toEqual([]);
});

test("pinned metrics come first, in their own order, and only those that there are", () => {
  expect(pinnedFirst(["a", "b", "c"], ["c", "x", "a"])).toEqual(["c", "a", "b"]);
});

test("a running run that tells its steps has a share of them, by its tag before its parameter", () => {
  const going = (params: Record<string, string>, tags: Record<string, string> = {}) => ({
    ...run({ status: "RUNNING" }, tags),
    data: { ...run({}, tags).data, params: Object.entries(params).map(([key, value]) => ({ key, value })), metrics: [{ key: "loss", value: 1, timestamp: 1, step: 5 }, { key: "system/cpu", value: 1, timestamp: 1, step: 90 }] },
  }) as Run;
  expect(progressOf(going({ total_steps: "20" }))).toBe(0.25);
  expect(progressOf(going({ total_steps: "20" }, { total_steps: "10" }))).toBe(0.5);
  expect(progressOf(going({ total_steps: "2" }))).toBe(1);
  expect([progressOf(going({})), progressOf(going({ total_steps: "many" })), progressOf({ ...going({ total_steps: "20" }), info: { run_id: "r", experiment_id: "1", status: "FINISHED" } })]).toEqual([null, null, null]);
});
