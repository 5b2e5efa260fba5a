import { expect, test } from "vitest";
import { choice, flag, list, numeric, readState, text, writeState } from "@/base/url";

const FIELDS = {
  q: text(), view: choice(["table", "charts", "split"]), cols: list(), smooth: numeric(0), log: flag(),
};

test("defaults are left out", () => {
  expect(writeState(FIELDS, "", { q: "", view: "table", cols: [], smooth: 0, log: false })).toBe("");
  expect(writeState(FIELDS, "view=charts&q=a", { view: "table" })).toBe("q=a");
});

test("what is written is read again", () => {
  const state = { q: "metrics.`val loss` < 0.1 & x", view: "split", cols: ["a", ",b", "~c~.", "d/e"], smooth: 0.6, log: true } as const;
  expect(readState(FIELDS, writeState(FIELDS, "", state))).toEqual(state);
});

test("keys of others stay", () => expect(writeState(FIELDS, "tab=artifacts", { log: true })).toBe("tab=artifacts&log=1"));

test("what is not a choice is the default", () => {
  expect(readState(FIELDS, "view=nonsense&smooth=x")).toMatchObject({ view: "table", smooth: 0 });
});
