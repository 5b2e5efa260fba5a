import { expect, it } from "vitest";
import { endingText, readSteps, stepText, USUAL_STEPS } from "@/pages/endpoint/steps";

it("reads steps as they are typed", () => {
  expect(readSteps("5:60, 100:0.5,")).toEqual([{ percent: 5, seconds: 60 }, { percent: 100, seconds: 0.5 }]);
  expect(readSteps(USUAL_STEPS)).toHaveLength(3);
});

it.each(["", "5", "0:60", "101:5", "5:-1", "x:60", "5:60:7"])("refuses %j", (text) => {
  expect(() => readSteps(text)).toThrow(/step/);
});

it("tells steps and endings in words", () => {
  expect(stepText({ percent: 5, seconds: 90 })).toBe("5 % for 1.5m");
  const canary = { version: "3", steps: [], max_error_rate: 0, min_requests: 0, step: 0, since: 0 };
  expect(endingText({ ...canary, state: "ROLLED_BACK", reason: "too slow" })).toBe("Version 3 was rolled back: too slow");
  expect(endingText({ ...canary, state: "PROMOTED" })).toContain("promoted");
});
