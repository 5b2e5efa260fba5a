// Many lines as one band: the lowest and the highest of them at each place, and their median.
import type { Line } from "@/charts/LineChart";

/** From more lines than this on a chart shows a band. */
export const MOST_LINES = 30;
const PLACES = 300;

export interface Band {
  x: Float64Array;
  low: Float64Array;
  middle: Float64Array;
  high: Float64Array;
}

/** The band of some lines. Between its points a line is straight; beyond its ends it does not count. */
export function bandOf(lines: readonly Line[], most: number = PLACES): Band {
  const x = places(lines, most);
  const low = new Float64Array(x.length).fill(Infinity);
  const high = new Float64Array(x.length).fill(-Infinity);
  const values: number[][] = Array.from(x, () => []);
  const add = (at: number, value: number) => {
    if (!Number.isFinite(value)) return;
    low[at] = Math.min(low[at] ?? Infinity, value);
    high[at] = Math.max(high[at] ?? -Infinity, value);
  };
  for (const line of lines) {
    // What stands out between two places counts at the nearest one.
    for (let point = 0; point < line.x.length; point += 1) {
      const at = nearest(x, line.x[point] ?? 0);
      add(at, line.min?.[point] ?? line.y[point] ?? Number.NaN);
      add(at, line.max?.[point] ?? line.y[point] ?? Number.NaN);
    }
    for (let at = 0, point = 0; at < x.length; at += 1) {
      const place = x[at] ?? 0;
      while (point + 1 < line.x.length && (line.x[point + 1] ?? 0) <= place) point += 1;
      const value = between(line, point, place);
      add(at, value);
      if (Number.isFinite(value)) values[at]?.push(value);
    }
  }
  const middle = Float64Array.from(values, median);
  for (let at = 0; at < x.length; at += 1) if ((low[at] ?? 0) > (high[at] ?? 0)) low[at] = high[at] = Number.NaN;
  return { x, low, middle, high };
}

/** The places of all points, or as many as `most` of equal distance. */
function places(lines: readonly Line[], most: number): Float64Array {
  const all = new Set<number>();
  let [from, to] = [Infinity, -Infinity];
  for (const line of lines) {
    for (let at = 0; at < line.x.length; at += 1) {
      const place = line.x[at] ?? 0;
      if (all.size <= most) all.add(place);
      from = Math.min(from, place);
      to = Math.max(to, place);
    }
  }
  if (all.size <= most) return Float64Array.from(all).sort();
  return Float64Array.from({ length: most }, (_, at) => from + ((to - from) * at) / (most - 1));
}

/** The place in sorted values that is nearest. */
export function nearest(sorted: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  const before = sorted[low - 1];
  return before !== undefined && value - before < (sorted[low] ?? Infinity) - value ? low - 1 : low;
}

function between(line: Line, point: number, place: number): number {
  const [from, to] = [line.x[point], line.x[point + 1]];
  const value = line.y[point] ?? Number.NaN;
  if (from === undefined || place < from) return Number.NaN;
  if (place === from) return value;
  if (to === undefined) return Number.NaN;
  return value + ((line.y[point + 1] ?? Number.NaN) - value) * ((place - from) / (to - from));
}

function median(values: number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] ?? Number.NaN : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}
