// The lines of parallel coordinates: where they go, how they are drawn, which one is near the pointer.
import { inSlices, spread } from "@/plots/canvas";
import type { Dimension } from "@/plots/dimension";
import type { AxisScale } from "@/plots/scale";

/** Where runs without a place on an axis pass it, below its end. */
export const SHELF = 14;

export interface Lines {
  /** The x of each axis. */
  xs: readonly number[];
  /** For each axis, the y of each run. */
  ys: readonly Float32Array[];
}

export function linesOf(dimensions: readonly Dimension[], scales: readonly AxisScale[], xs: readonly number[], height: number): Lines {
  const ys = dimensions.map((dimension, at) => Float32Array.from(dimension.values, (value) => {
    const y = scales[at]?.place(value) ?? NaN;
    return Number.isNaN(y) ? height + SHELF : y;
  }));
  return { xs, ys };
}

/** Draws the lines of `runs`, slice by slice; the answer ends it. */
export function drawLines(context: CanvasRenderingContext2D, lines: Lines, runs: readonly number[], colourOf: (run: number) => string, opacity: number): () => void {
  const order = spread(runs);
  context.globalAlpha = opacity;
  context.lineWidth = runs.length > 500 ? 1 : 1.25;
  return inSlices(order.length, (from, to) => {
    for (let at = from; at < to; at += 1) {
      const run = order[at] ?? 0;
      context.strokeStyle = colourOf(run);
      context.beginPath();
      for (let axis = 0; axis < lines.xs.length; axis += 1) context.lineTo(lines.xs[axis] ?? 0, lines.ys[axis]?.[run] ?? 0);
      context.stroke();
    }
  });
}

/** How see-through lines are, so that many of them still show where they gather. */
export function opacityOf(count: number): number {
  return count > 5000 ? 0.12 : count > 1000 ? 0.25 : count > 150 ? 0.5 : 0.85;
}

/** The run of `runs` whose line passes nearest to a point, if it is within `reach` pixels; else -1. */
export function nearestLine(lines: Lines, runs: readonly number[], x: number, y: number, reach: number): number {
  let right = lines.xs.findIndex((at) => at >= x);
  if (right < 0) right = lines.xs.length - 1;
  const left = Math.max(0, right - 1);
  const [from = 0, to = 0] = [lines.xs[left], lines.xs[right]];
  const share = to === from ? 0 : Math.max(0, Math.min(1, (x - from) / (to - from)));
  let [best, distance] = [-1, reach];
  for (const run of runs) {
    const [a = 0, b = 0] = [lines.ys[left]?.[run], lines.ys[right]?.[run]];
    const away = Math.abs(a + (b - a) * share - y);
    if (away < distance) [best, distance] = [run, away];
  }
  return best;
}

/** A line as the path of an SVG. */
export function pathOf(lines: Lines, run: number): string {
  return lines.xs.map((x, axis) => `${axis === 0 ? "M" : "L"}${x} ${lines.ys[axis]?.[run] ?? 0}`).join("");
}
