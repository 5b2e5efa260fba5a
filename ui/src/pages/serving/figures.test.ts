import { describe, expect, it } from "vitest";
import type { EndpointAnswer, ServingEndpoint } from "@/api/schema";
import { lately, percentText, replicasOf, ruleText, takingTraffic, totalsOf } from "@/pages/serving/figures";

const NOW = 1_700_000_030_000;
const ENDPOINT = { name: "e", traffic: [] as ServingEndpoint["traffic"] } as ServingEndpoint;

describe("the last minutes", () => {
  it("end with the minute that runs and stay the same within it", () => {
    const window = lately(15, 5, NOW);
    expect(window.end_time % 60_000).toBe(0);
    expect(window.end_time - window.start_time).toBe(15 * 60_000);
    expect(window.end_time).toBeGreaterThan(NOW);
    expect(lately(15, 5, window.end_time - 1)).toEqual(window);
    expect(lately(15, 5, window.end_time)).not.toEqual(window);
  });
});

describe("totals", () => {
  const window = { start_time: NOW - 100_000, end_time: NOW + 20_000, step_minutes: 2 };

  it("add up versions, and take latencies of the busiest", () => {
    const totals = totalsOf([
      { endpoint: "e", time: 0, step: 1, version: "1", requests: 30, errors: 2, p50: 0.5, p95: 0.9 },
      { endpoint: "e", time: 0, step: 1, version: "2", requests: 70, refused: 1, p50: 0.01, p95: 0.02 },
    ], window, NOW);
    expect(totals).toMatchObject({ requests: 100, errors: 2, refused: 1, rate: 1, busiest: "2", p50: 0.01, p95: 0.02 });
  });

  it("are none without requests", () => {
    expect(totalsOf([], window, NOW)).toBeNull();
    expect(totalsOf([{ endpoint: "e", time: 0, step: 1 }], window, NOW)).toBeNull();
  });
});

it("tells a rule in words, weights as percents of their sum", () => {
  expect(ruleText(ENDPOINT)).toBe("newest in Production, else newest");
  expect(ruleText({ ...ENDPOINT, traffic: [{ target: "3", weight: 3 }, { target: "@champion", weight: 1 }] })).toBe("75 % version 3, 25 % @champion");
  expect([percentText(2.54), percentText(100), percentText(33.333)]).toEqual(["2.5 %", "100 %", "33 %"]);
});

it("counts replicas that run, and orders versions by their traffic", () => {
  const replica = { host: "h", endpoint: "e", number: 0, since: 0, restarts: 0 };
  const version = { stage: "None", shadow: false, state: "READY", aliases: [] };
  const answer: EndpointAnswer = {
    endpoint: ENDPOINT,
    versions: [
      { ...version, version: "1", percent: 0, replicas: [{ ...replica, version: "1", state: "STOPPED" }] },
      { ...version, version: "2", percent: 10, replicas: [{ ...replica, version: "2", state: "STARTING" }] },
      { ...version, version: "3", percent: 90, replicas: [{ ...replica, version: "3", state: "READY" }] },
    ],
  };
  expect(replicasOf(answer)).toEqual({ ready: 1, all: 2 });
  expect(takingTraffic(answer).map((one) => one.version)).toEqual(["3", "2"]);
});
