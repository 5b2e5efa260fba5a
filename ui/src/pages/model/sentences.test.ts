import { describe, expect, it } from "vitest";
import type { RegistryActivity } from "@/api/schema";
import { ruleText, sentence } from "@/pages/model/sentences";

const made = (more: Partial<RegistryActivity>): RegistryActivity => ({
  sequence: 1, kind: "", model: "churn", timestamp: 0, user_id: "ada", previous_hash: "", hash: "", ...more,
});

describe("sentence", () => {
  it("tells a transition with what went along", () => {
    expect(sentence(made({ kind: "model_version.transitioned", version: "3", before: "Staging", after: "Production", others: ["2"] })))
      .toBe("moved version 3 from Staging to Production, and version 2 to Archived");
  });
  it("tells for which version an alias stood", () => {
    expect(sentence(made({ kind: "model_version_alias.created", version: "3", key: "champion", before: "2", after: "3" })))
      .toBe("let champion stand for version 3, no longer for version 2");
  });
  it("shortens long values and tells what it does not know by its name", () => {
    expect(sentence(made({ kind: "registered_model_tag.set", key: "a", after: "x".repeat(100) }))).toHaveLength(61 + "set the tag a to ".length);
    expect(sentence(made({ kind: "thing.made", version: "1" }))).toBe("thing made: version 1");
  });
});

describe("ruleText", () => {
  it("names the number and the direction", () => {
    expect(ruleText({ name: "r", kind: "metric", metric: "auc", threshold: 0.9 })).toBe("auc is 0.9 or higher");
    expect(ruleText({ name: "r", kind: "metric", metric: "loss", greater_is_better: false, min_relative_change: 0.05, dataset: "test" }))
      .toBe("loss on test is lower than of who holds it by 5 %");
    expect(ruleText({ name: "r", kind: "approvals", approvals: 2 })).toBe("2 others approved it");
    expect(ruleText({ name: "r", kind: "tag", tag: "reviewed", tag_value: "yes" })).toBe("It has the tag reviewed = yes");
  });
});
