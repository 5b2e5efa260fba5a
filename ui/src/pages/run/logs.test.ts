import { expect, test } from "vitest";
import { isLog, isLogFolder } from "@/pages/run/logs";

test("logs are known by their endings and their folders", () => {
  expect(["train.log", "a/train.log.1", "job.out", "job.err", "stdout.txt", "logs/epoch.txt", "logs/events.jsonl"].every(isLog)).toBe(true);
  expect(["notes.txt", "model.pkl", "catalog", "blog", "logs/curve.png", "dialog.json"].some(isLog)).toBe(false);
  expect(["logs", "log", "stderr"].every(isLogFolder)).toBe(true);
  expect(["catalogs", "models"].some(isLogFolder)).toBe(false);
});
