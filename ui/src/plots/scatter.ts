// Points of a scatter plot: where they lie, the straight line through them, which one is near the pointer.
import { correlation, withBoth } from "@/plots/ranks";
import type { Dimension } from "@/plots/dimension";
import type { AxisScale } from "@/plots/scale";

export interface Points {
  /** The run of each point. */
  runs: readonly number[];
  x: Float64Array;
  y: Float64Array;
}

const STRIDE = 7919;
const PARTS = 1000;

/** A shift between -0.5 and 0.5 that a run always has, so that points of one category lie beside each other. */
export function shift(run: number): number {
  return ((run * STRIDE) % PARTS) / PARTS - 0.5;
}

/** The points of those of `runs` that have a place on both axes. Within a category points are spread by up to `room` pixels. */
export function pointsOf(x: Dimension, y: Dimension, xScale: AxisScale, yScale: AxisScale, runs: readonly number[], room = 0): Points {
  const placed = withBoth(x, y, runs).filter((run) => !Number.isNaN(xScale.place(x.values[run] ?? NaN)) && !Number.isNaN(yScale.place(y.values[run] ?? NaN)));
  const pixels = (dimension: Dimension, scale: AxisScale, turn: number) => Float64Array.from(placed, (run) => (
    scale.place(dimension.values[run] ?? NaN) + (dimension.kind === "category" ? shift(run + turn) * room : 0)
  ));
  return { runs: placed, x: pixels(x, xScale, 0), y: pixels(y, yScale, 1) };
}

export interface Trend {
  slope: number;
  start: number;
  /** The share of the spread that the line explains. */
  share: number;
}

/** The straight line of least squares through points, in pixels: on logarithmic axes a power or an exponential. */
export function trendOf({ x, y }: Points): Trend | null {
  const r = correlation(x, y);
  if (r === null || x.length < 3) return null;
  const [meanX, meanY] = [x, y].map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
  let [xy, xx] = [0, 0];
  for (let at = 0; at < x.length; at += 1) {
    xy += ((x[at] ?? 0) - (meanX ?? 0)) * ((y[at] ?? 0) - (meanY ?? 0));
    xx += ((x[at] ?? 0) - (meanX ?? 0)) ** 2;
  }
  const slope = xy / xx;
  return { slope, start: (meanY ?? 0) - slope * (meanX ?? 0), share: r * r };
}

/** The place in `points` of the one nearest to the pointer, within `reach` pixels; else -1. */
export function nearestPoint(points: Points, x: number, y: number, reach: number): number {
  let [best, distance] = [-1, reach * reach];
  for (let at = 0; at < points.runs.length; at += 1) {
    const away = ((points.x[at] ?? 0) - x) ** 2 + ((points.y[at] ?? 0) - y) ** 2;
    if (away < distance) [best, distance] = [at, away];
  }
  return best;
}
