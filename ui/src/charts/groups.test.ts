import { expect, test } from "vitest";
import { grouped, search } from "@/charts/groups";

test("keys are grouped by what stands before their last slash", () => {
  const groups = grouped(["loss", "train/loss", "val/a/loss", "train/accuracy"]);
  expect([...groups]).toEqual([["", ["loss"]], ["train", ["train/loss", "train/accuracy"]], ["val/a", ["val/a/loss"]]]);
});

test("a regular expression finds keys, one that is not finished finds all", () => {
  expect(search(["Loss", "f1"], "^lo")).toEqual({ found: ["Loss"], problem: false });
  expect(search(["loss", "f1"], "(")).toEqual({ found: ["loss", "f1"], problem: true });
  expect(search(["loss"], "").found).toEqual(["loss"]);
});
