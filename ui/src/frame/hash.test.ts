import { expect, test } from "vitest";
import { pathOfHash } from "@/frame/hash";

test.each([
  ["#/", "/"], ["#/experiments", "/"], ["#/experiments/12", "/exp/12"], ["#/experiments/12/runs/ab34", "/run/ab34"],
  ["#/experiments/12/runs/ab34/artifacts/model/MLmodel", "/run/ab34?tab=artifacts&path=model/MLmodel"],
  ["#/experiments/12/runs/ab34/model-metrics", "/run/ab34?tab=charts"],
  ["#/models", "/models"], ["#/models/churn%20v2", "/models/churn%20v2"], ["#/models/churn/versions/3", "/models/churn/3"],
  ['#/compare-runs?runs=["a","b"]&experiments=["1"]', "/compare?sel=a,b"], ["#/compare-runs?runs=%5B%22a%22%5D", "/compare?sel=a"],
  ["#/compare-runs?runs=broken", "/compare?sel="], ["#section", null], ["#/prompts", null],
])("%s", (hash, path) => expect(pathOfHash(hash)).toBe(path));
