// Where values lie on an axis: linear or logarithmic for numbers, places side by side for categories.
import { scaleLinear, scaleLog, type ScaleContinuousNumeric } from "d3-scale";
import { middle, number } from "@/base/format";
import type { Dimension } from "@/plots/dimension";

export interface Tick {
  value: number;
  /** Its pixel. */
  at: number;
  label: string;
}

export interface AxisScale {
  /** The pixel of a value; NaN for what has no place on this axis. */
  place: (value: number) => number;
  /** The value at a pixel; of categories, between their places. */
  value: (pixel: number) => number;
  ticks: readonly Tick[];
  /** The scale itself, for the modules of d3. */
  d3: ScaleContinuousNumeric<number, number>;
  /** Whether it is logarithmic: asked for, and possible. */
  log: boolean;
}

export interface ScaleOptions {
  log?: boolean;
  flip?: boolean;
  /** About how many ticks there is room for. */
  ticks?: number;
  /** The longest label, in characters. */
  longest?: number;
}

const ROOM = 0.5;

/** The scale of a dimension over the pixels `range`: from its lowest value to its highest, or `flip`ped. */
export function scaleOf(dimension: Dimension, range: readonly [number, number], options: ScaleOptions = {}): AxisScale {
  const { log = false, flip = false, ticks = 5, longest = 14 } = options;
  const pixels: [number, number] = flip ? [range[1], range[0]] : [range[0], range[1]];
  if (dimension.domain === null) return { place: () => NaN, value: () => NaN, ticks: [], d3: scaleLinear().range(pixels), log: false };
  if (dimension.kind === "category") return ofCategories(dimension, pixels, ticks, longest);
  const [low, high] = dimension.domain;
  if (log && high > 0) return logarithmic(dimension, pixels, ticks);
  const scale = scaleLinear().domain(low === high ? around(low) : [low, high]).nice(ticks).range(pixels);
  return {
    place: (value) => (Number.isFinite(value) ? scale(value) : NaN), value: (pixel) => scale.invert(pixel), log: false, d3: scale,
    ticks: (low === high ? [low] : scale.ticks(ticks)).map((tick) => ({ value: tick, at: scale(tick), label: number(tick, 4) })),
  };
}

/** Room around the only value there is. */
function around(value: number): [number, number] {
  const room = Math.abs(value) / 2 || 1;
  return [value - room, value + room];
}

function logarithmic(dimension: Dimension, pixels: [number, number], ticks: number): AxisScale {
  let low = Infinity;
  for (const value of dimension.values) if (value > 0 && value < low) low = value;
  const high = dimension.domain?.[1] ?? low;
  const scale = scaleLog().domain(low === high ? [low / 2, high * 2] : [low, high]).range(pixels);
  if (low !== high) scale.nice();
  return {
    place: (value) => (value > 0 && Number.isFinite(value) ? scale(value) : NaN), value: (pixel) => scale.invert(pixel), log: true, d3: scale,
    ticks: (low === high ? [low] : thinned(scale.ticks(ticks), ticks)).map((tick) => ({ value: tick, at: scale(tick), label: number(tick, 4) })),
  };
}

/** Powers of ten where there are too many ticks, and of these as many as there is room for. */
function thinned(ticks: readonly number[], most: number): readonly number[] {
  if (ticks.length <= most + 1) return ticks;
  const powers = ticks.filter((tick) => Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-9);
  const kept = powers.length >= 2 ? powers : ticks;
  const step = Math.ceil(kept.length / (most + 1));
  return kept.filter((_, at) => at % step === 0);
}

function ofCategories(dimension: Dimension, pixels: [number, number], ticks: number, longest: number): AxisScale {
  const count = dimension.categories.length;
  const scale = scaleLinear().domain([-ROOM, count - 1 + ROOM]).range(pixels);
  const most = Math.max(ticks * 3, 8);
  const step = Math.ceil(count / most);
  return {
    place: (value) => (Number.isFinite(value) ? scale(value) : NaN), value: (pixel) => scale.invert(pixel), log: false, d3: scale,
    ticks: dimension.categories.flatMap((category, at) => (at % step === 0 ? [{ value: at, at: scale(at), label: middle(category, longest) }] : [])),
  };
}
