// How much one column goes with another, by ranks: whatever the scale, and whether or not along a straight line.
import type { Dimension } from "@/plots/dimension";

/** Ranks from 1; equal values share the mean of theirs. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, at) => at).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const made = new Float64Array(values.length);
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1] ?? 0] === values[order[from] ?? 0]) to += 1;
    for (let at = from; at <= to; at += 1) made[order[at] ?? 0] = (from + to) / 2 + 1;
    from = to + 1;
  }
  return made;
}

/** Pearson's correlation; null where one of both does not vary. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  const count = a.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let at = 0; at < count; at += 1) {
    const [x, y] = [(a[at] ?? 0) - meanA, (b[at] ?? 0) - meanB];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa > 0 && bb > 0 ? Math.max(-1, Math.min(1, ab / Math.sqrt(aa * bb))) : null;
}

/** Spearman's rank correlation. */
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  return correlation(ranks(a), ranks(b));
}

/** The correlation ratio of the ranks of `values` by group: the square root of the share of their spread that groups explain. */
export function rankRatio(groups: ArrayLike<number>, values: ArrayLike<number>): number | null {
  const ranked = ranks(values);
  const all = mean(ranked);
  const members = new Map<number, number[]>();
  for (let at = 0; at < ranked.length; at += 1) members.set(groups[at] ?? 0, [...members.get(groups[at] ?? 0) ?? [], ranked[at] ?? 0]);
  const total = ranked.reduce((sum, rank) => sum + (rank - all) ** 2, 0);
  if (total === 0 || members.size < 2 || members.size === ranked.length) return null;
  const between = [...members.values()].reduce((sum, group) => sum + group.length * (mean(group) - all) ** 2, 0);
  return Math.sqrt(between / total);
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < values.length; at += 1) sum += values[at] ?? 0;
  return sum / values.length;
}

/** The runs of `runs` with a place in both. */
export function withBoth(a: Dimension, b: Dimension, runs: readonly number[]): readonly number[] {
  return runs.filter((run) => !Number.isNaN(a.values[run] ?? NaN) && !Number.isNaN(b.values[run] ?? NaN));
}

export interface Importance {
  dimension: Dimension;
  /** 0 to 1. */
  weight: number;
  /** The sign of the correlation; 0 for categories, which have none. */
  sign: number;
  /** Runs with both. */
  count: number;
}

const FEWEST = 3;

/** How much each column goes with the target, the most first; those that cannot be told are left out. */
export function importance(target: Dimension, dimensions: readonly Dimension[], runs: readonly number[]): readonly Importance[] {
  return dimensions.flatMap((dimension) => {
    if (dimension.key === target.key) return [];
    const both = withBoth(dimension, target, runs);
    if (both.length < FEWEST) return [];
    const [a, b] = [both.map((run) => dimension.values[run] ?? 0), both.map((run) => target.values[run] ?? 0)];
    const measured = dimension.kind === "category" ? rankRatio(a, b) : rankCorrelation(a, b);
    return measured === null ? [] : [{ dimension, weight: Math.abs(measured), sign: dimension.kind === "category" ? 0 : Math.sign(measured), count: both.length }];
  }).sort((a, b) => b.weight - a.weight);
}
