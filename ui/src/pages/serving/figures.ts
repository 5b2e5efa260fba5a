// What an endpoint did lately: its figures by version and minute, as rates and shares.
import { numberOf } from "@/base/format";
import type { EndpointAnswer, ServiceFigures, ServingEndpoint, Share } from "@/api/schema";

export const MINUTE_MS = 60_000;

export interface Window {
  start_time: number;
  end_time: number;
  step_minutes: number;
}

/** The last `minutes`, to the end of the minute that runs, in steps. Within a minute it stays the same. */
export function lately(minutes: number, step: number, now: number = Date.now()): Window {
  const end = (Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS;
  return { start_time: end - minutes * MINUTE_MS, end_time: end, step_minutes: step };
}

export interface Totals {
  requests: number;
  errors: number;
  refused: number;
  /** Requests a second, over the whole time. */
  rate: number;
  /** The version with most requests; latencies are its own, quantiles of several cannot be added. */
  busiest: string;
  p50: number;
  p95: number;
}

/** What figures add up to; null where there were no requests. */
export function totalsOf(figures: readonly ServiceFigures[], window: Window, now: number = Date.now()): Totals | null {
  const sum = (of: (one: ServiceFigures) => number | undefined) => figures.reduce((total, one) => total + (of(one) ?? 0), 0);
  const requests = sum((one) => one.requests);
  const busiest = figures.reduce<ServiceFigures | null>((most, one) => ((one.requests ?? 0) > (most?.requests ?? 0) ? one : most), null);
  if (!requests || !busiest) return null;
  const seconds = Math.max(1, (Math.min(now, window.end_time) - window.start_time) / 1000);
  return {
    requests, errors: sum((one) => one.errors), refused: sum((one) => one.refused), rate: requests / seconds,
    busiest: busiest.version ?? "", p50: numberOf(busiest.p50) ?? 0, p95: numberOf(busiest.p95) ?? 0,
  };
}

/** A target of traffic in words: "version 3", "Production", "@champion", "latest". */
export function targetText(target: string): string {
  return /^\d+$/.test(target) ? `version ${target}` : target;
}

/** The rule of an endpoint in words. */
export function ruleText(endpoint: ServingEndpoint): string {
  if (endpoint.traffic.length === 0) return "newest in Production, else newest";
  return endpoint.traffic.map((share) => `${percentText(percentOf(share, endpoint.traffic))} ${targetText(share.target)}`).join(", ");
}

export function percentOf(share: Share, all: readonly Share[]): number {
  const total = all.reduce((sum, one) => sum + (numberOf(one.weight) ?? 0), 0);
  return total > 0 ? (100 * (numberOf(share.weight) ?? 0)) / total : 0;
}

export function percentText(percent: number): string {
  return `${Number(percent.toFixed(percent < 10 ? 1 : 0))} %`;
}

/** How many replicas answer, of how many there are to be. */
export function replicasOf(answer: EndpointAnswer): { ready: number; all: number } {
  const replicas = (answer.versions ?? []).flatMap((version) => version.replicas ?? []);
  const running = replicas.filter((one) => one.state !== "STOPPED");
  return { ready: running.filter((one) => one.state === "READY").length, all: running.length };
}

/** The versions that take traffic, the one with most first. */
export function takingTraffic(answer: EndpointAnswer): readonly { version: string; percent: number; aliases: readonly string[] }[] {
  return (answer.versions ?? [])
    .map(({ version, percent, aliases }) => ({ version, percent: numberOf(percent) ?? 0, aliases }))
    .filter((one) => one.percent > 0)
    .sort((left, right) => right.percent - left.percent);
}
