import { expect, test } from "vitest";
import { completed, keyWord, placeOf } from "@/parts/completion";
import { RUN_WORDS } from "@/parts/filter";

const at = (text: string) => placeOf(text, text.length, RUN_WORDS);

test("a condition begins with a field", () => {
  for (const text of ["", "me", "metrics.a > 1 AND ", "NOT ", "("]) expect(at(text).words).toContain("metrics.");
  expect(at("max(").words).not.toContain("status");
});

test("after a prefix come keys", () => {
  expect(at("metrics.lo").keys).toEqual({ kind: "metric", before: "lo" });
  expect(at("x = 1 and params.`val l").keys).toEqual({ kind: "param", before: "val l" });
});

test("after a field comes what may be said of its type", () => {
  expect(at("metrics.loss ").words).toContain("BETWEEN");
  expect(at("metrics.loss ").words).not.toContain("LIKE");
  expect(at("params.lr ").words).toContain("LIKE");
  expect(at("start_time ").words).toContain("<=");
  expect(at("max(metrics.loss) ").words).toContain(">");
});

test("a status is one of five", () => expect(at("status = ").words).toContain("'FINISHED'"));
test("after a condition comes a word of logic", () => {
  expect(at("metrics.loss < 0.5 ").words).toEqual(["AND", "OR"]);
  expect(at("params.lr = '1' ").words).toEqual(["AND", "OR"]);
});

test("a chosen word takes the place of what was begun", () => {
  const text = "metrics.lo";
  expect(completed(text, text.length, at(text), keyWord(at(text), "val loss"))).toEqual(["metrics.`val loss` ", 19]);
  expect(completed("me", 2, at("me"), "metrics.")).toEqual(["metrics.", 8]);
});
