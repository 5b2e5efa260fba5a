// Where values lie on an axis: linear or logarithmic for numbers, places side by side for categories.
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
  /** The pixels of its ends. */
  range: readonly [number, number];
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
const STEPS = [1, 2, 5, 10];

/** The scale of a dimension over the pixels `range`: from its lowest value to its highest, or `flip`ped. */
export function scaleOf(dimension: Dimension, range: readonly [number, number], options: ScaleOptions = {}): AxisScale {
  const { log = false, flip = false, ticks = 5, longest = 14 } = options;
  const pixels: [number, number] = flip ? [range[1], range[0]] : [range[0], range[1]];
  if (dimension.domain === null) return { place: () => NaN, value: () => NaN, ticks: [], range: pixels, log: false };
  if (dimension.kind === "category") return ofCategories(dimension, pixels, ticks, longest);
  const [low, high] = dimension.domain;
  if (log && high > 0) return logarithmic(dimension, pixels, ticks);
  const [from, to] = low === high ? around(low) : [low, high];
  const step = stepOf(to - from, ticks);
  const scale = between(Math.floor(from / step) * step, Math.ceil(to / step) * step, pixels);
  return scaled(scale, pixels, false, low === high ? [low] : multiples(from, to, step));
}

/** Both directions between values and pixels. */
interface Line {
  place: (value: number) => number;
  value: (pixel: number) => number;
}

function between(low: number, high: number, [start, end]: readonly [number, number]): Line {
  const [span, room] = [high - low, end - start];
  return {
    place: (value) => (Number.isFinite(value) ? start + ((value - low) / span) * room : NaN),
    value: (pixel) => low + ((pixel - start) / room) * span,
  };
}

function scaled(line: Line, range: readonly [number, number], log: boolean, ticks: readonly number[]): AxisScale {
  return { ...line, range, log, ticks: ticks.map((value) => ({ value, at: line.place(value), label: number(value, 4) })) };
}

/** Room around the only value there is. */
function around(value: number): [number, number] {
  const room = Math.abs(value) / 2 || 1;
  return [value - room, value + room];
}

/** The step of 1, 2 or 5 by a power of ten that cuts a span into about `count` parts. */
export function stepOf(span: number, count: number): number {
  const wanted = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(wanted));
  // The nearest by ratio.
  return power * STEPS.reduce((best, step) => (Math.abs(Math.log(wanted / power / step)) < Math.abs(Math.log(wanted / power / best)) ? step : best));
}

/** The multiples of a step around two values, each the nearest number to what it is written as. */
function multiples(low: number, high: number, step: number): readonly number[] {
  const [from, to] = [Math.floor(low / step), Math.ceil(high / step)];
  const inverse = Math.round(1 / step);
  return Array.from({ length: to - from + 1 }, (_, at) => (step < 1 && Number.isFinite(inverse) ? (from + at) / inverse : (from + at) * step));
}

function logarithmic(dimension: Dimension, pixels: [number, number], most: number): AxisScale {
  let low = Infinity;
  for (const value of dimension.values) if (value > 0 && value < low) low = value;
  const high = dimension.domain?.[1] ?? low;
  const [from, to] = low === high ? [Math.log10(low / 2), Math.log10(high * 2)] : [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const { place, value } = between(from, to, pixels);
  const line = { place: (given: number) => (given > 0 ? place(Math.log10(given)) : NaN), value: (pixel: number) => 10 ** value(pixel) };
  return scaled(line, pixels, true, low === high ? [low] : decades(from, to, most));
}

/** One to nine of every power of ten where there is room for them, else powers, as many as there is room for. */
function decades(from: number, to: number, most: number): readonly number[] {
  const powers = Array.from({ length: to - from + 1 }, (_, at) => Number(`1e${from + at}`));
  const all = powers.slice(0, -1).flatMap((_, at) => Array.from({ length: 9 }, (_, times) => Number(`${times + 1}e${from + at}`)));
  if (all.length <= most) return [...all, ...powers.slice(-1)];
  const step = Math.ceil(powers.length / (most + 1));
  return powers.filter((_, at) => at % step === 0);
}

function ofCategories(dimension: Dimension, pixels: [number, number], ticks: number, longest: number): AxisScale {
  const count = dimension.categories.length;
  const line = between(-ROOM, count - 1 + ROOM, pixels);
  const most = Math.max(ticks * 3, 8);
  const step = Math.ceil(count / most);
  return {
    ...line, range: pixels, log: false,
    ticks: dimension.categories.flatMap((category, at) => (at % step === 0 ? [{ value: at, at: line.place(at), label: middle(category, longest) }] : [])),
  };
}
