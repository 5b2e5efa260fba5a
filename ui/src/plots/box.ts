// Boxes of a metric by category: quartiles, whiskers to the last value within one and a half times the box, the rest apart.
import type { Dimension } from "@/plots/dimension";

export interface Box {
  name: string;
  /** The runs of the category that have a value. */
  runs: readonly number[];
  low: number;
  first: number;
  median: number;
  third: number;
  high: number;
  /** Runs beyond the whiskers. */
  apart: readonly number[];
}

const REACH = 1.5;

/** The value below which a share of sorted values lies, between neighbours in proportion. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
  return low + (high - low) * (at - Math.floor(at));
}

/** A box for each category of `by` that has a value, in the order of the categories; numbers are categories too. */
export function boxesOf(by: Dimension, y: Dimension, runs: readonly number[], nameOf: (value: number) => string): readonly Box[] {
  const members = new Map<number, number[]>();
  for (const run of runs) {
    const [group = NaN, value = NaN] = [by.values[run], y.values[run]];
    if (!Number.isNaN(group) && !Number.isNaN(value)) members.set(group, [...members.get(group) ?? [], run]);
  }
  return [...members].sort(([a], [b]) => a - b).map(([group, within]) => boxOf(nameOf(group), y, within));
}

function boxOf(name: string, y: Dimension, runs: readonly number[]): Box {
  const valueOf = (run: number) => y.values[run] ?? NaN;
  const sorted = runs.map(valueOf).sort((a, b) => a - b);
  const [first, median, third] = [quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)];
  const reach = REACH * (third - first);
  const inside = sorted.filter((value) => value >= first - reach && value <= third + reach);
  const [low, high] = [inside[0] ?? first, inside[inside.length - 1] ?? third];
  return { name, runs, low, first, median, third, high, apart: runs.filter((run) => valueOf(run) < low || valueOf(run) > high) };
}
