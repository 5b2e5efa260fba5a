import { expect, it } from "vitest";
import { chosenOf, words, withAction } from "@/pages/webhooks/events";

it("tells what is chosen of an entity", () => {
  expect([...chosenOf(new Set(["*"]), "monitor")]).toEqual(["alert_raised", "alert_cleared"]);
  expect([...chosenOf(new Set(["comment.*"]), "comment")]).toEqual(["created", "updated", "deleted"]);
  expect([...chosenOf(new Set(["comment.created"]), "comment")]).toEqual(["created"]);
});

it("takes one out of all", () => {
  const left = withAction(new Set(["*"]), "monitor", "alert_cleared", false);
  expect(left.has("*")).toBe(false);
  expect(left.has("monitor.alert_raised")).toBe(true);
  expect(left.has("monitor.alert_cleared")).toBe(false);
  expect(left.has("comment.*")).toBe(true);
});

it("writes all of an entity in one word, and keeps events of a stage", () => {
  const staged = "model_version.transitioned:Production";
  let names: ReadonlySet<string> = new Set([staged, "monitor.alert_raised"]);
  names = withAction(names, "monitor", "alert_cleared", true);
  expect([...names].sort()).toEqual([staged, "monitor.*"].sort());
  expect(withAction(names, "model_version", "created", true).has(staged)).toBe(true);
});

it("makes words of names", () => {
  expect(words("canary_rolled_back")).toBe("Canary rolled back");
});
