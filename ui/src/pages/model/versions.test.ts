import { describe, expect, it } from "vitest";
import type { ModelVersion } from "@/api/schema";
import { ordered } from "@/pages/model/versions";

const made = (version: string, stage = "None"): ModelVersion => ({ name: "m", version, creation_timestamp: Number(version), current_stage: stage });
const all = [made("10"), made("9", "Production"), made("2", "Staging")];
const order = (sort: string, metric: (version: ModelVersion, key: string) => number | string | null = () => null) => ordered(all, sort, metric).map((one) => one.version);

describe("ordered", () => {
  it("takes versions as numbers and stages in their order", () => {
    expect(order("version")).toEqual(["2", "9", "10"]);
    expect(order("-version")).toEqual(["10", "9", "2"]);
    expect(order("-stage")).toEqual(["9", "2", "10"]);
  });
  it("has missing values and NaN last in both directions", () => {
    const metric = (version: ModelVersion) => ({ 10: 0.5, 9: "NaN", 2: 0.7 })[version.version] ?? null;
    expect(order("metrics.auc", metric)).toEqual(["10", "2", "9"]);
    expect(order("-metrics.auc", metric)).toEqual(["2", "10", "9"]);
  });
});
