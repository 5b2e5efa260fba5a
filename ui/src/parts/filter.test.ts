import { expect, test } from "vitest";
import { quotedKey, quotedValue, withCondition } from "@/parts/filter";

test("keys, values and conditions are quoted where they must be", () => {
  expect([quotedKey("loss"), quotedKey("val loss"), quotedKey("a-b")]).toEqual(["loss", "`val loss`", "`a-b`"]);
  expect([quotedValue(3), quotedValue("adam"), quotedValue("it's")]).toEqual(["3", "'adam'", '"it\'s"']);
  expect(withCondition("", "a = 1")).toBe("a = 1");
  expect(withCondition("a = 1 or b = 2", "c = 3")).toBe("(a = 1 or b = 2) AND c = 3");
});
