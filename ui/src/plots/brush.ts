// Which runs a brush keeps: a range on each of some axes, or none of them.
import type { Dimension } from "@/plots/dimension";

/** Ranges of values by column; of categories, of their places. */
export type Brush = ReadonlyMap<string, readonly [number, number]>;

/** The places of the runs that lie within every range; those without a value are outside. */
export function kept(dimensions: readonly Dimension[], brush: Brush, count: number): readonly number[] {
  const ranges = dimensions.flatMap((dimension) => {
    const range = brush.get(dimension.key);
    return range ? [{ values: dimension.values, low: range[0], high: range[1] }] : [];
  });
  const made: number[] = [];
  for (let run = 0; run < count; run += 1) {
    if (ranges.every(({ values, low, high }) => (values[run] ?? NaN) >= low && (values[run] ?? NaN) <= high)) made.push(run);
  }
  return made;
}

/** A brush as texts for the address: categories by name, so that it holds when others come. */
export function brushText(dimensions: readonly Dimension[], brush: Brush): string[] {
  return [...brush].flatMap(([key, [low, high]]) => {
    const dimension = dimensions.find((one) => one.key === key);
    if (!dimension) return [];
    if (dimension.kind === "number") return [`${key}|${Number(low.toPrecision(6))}|${Number(high.toPrecision(6))}`];
    const names = dimension.categories.filter((_, at) => at >= low && at <= high);
    return names.length > 0 ? [`${key}|${encodeURIComponent(names[0] ?? "")}|${encodeURIComponent(names[names.length - 1] ?? "")}`] : [];
  });
}

export function readBrush(dimensions: readonly Dimension[], texts: readonly string[]): Brush {
  return new Map(texts.flatMap((text): [string, readonly [number, number]][] => {
    const [key = "", low = "", high = ""] = /^(.*)\|([^|]*)\|([^|]*)$/s.exec(text)?.slice(1) ?? [];
    const dimension = dimensions.find((one) => one.key === key);
    if (!dimension) return [];
    const [from, to] = dimension.kind === "number" ? [Number(low), Number(high)]
      : [placeOf(dimension, low) - 0.5, placeOf(dimension, high) + 0.5];
    return Number.isFinite(from) && Number.isFinite(to) && from <= to ? [[key, [from, to]]] : [];
  }));
}

function placeOf(dimension: Dimension, text: string): number {
  const at = dimension.categories.findIndex((category) => encodeURIComponent(category) === text);
  return at < 0 ? NaN : at;
}

/** Two pixels of an axis, the upper one first. */
export type Pixels = readonly [number, number];

/**
 * A brush of `before` when the pointer has gone from one pixel to another on an axis of `height`: one of its ends moves
 * when the pointer took it within `reach`, all of it when it was taken between them, else a new one begins.
 */
export function draggedTo(before: Pixels | null, from: number, to: number, height: number, reach: number): Pixels {
  const within = (pixel: number) => Math.max(0, Math.min(height, pixel));
  const spanned = (one: number, other: number): Pixels => [within(Math.min(one, other)), within(Math.max(one, other))];
  if (!before) return spanned(from, to);
  const [top, bottom] = before;
  if (Math.abs(from - top) <= reach) return spanned(bottom, top + to - from);
  if (Math.abs(from - bottom) <= reach) return spanned(top, bottom + to - from);
  if (from < top || from > bottom) return spanned(from, to);
  const by = Math.max(-top, Math.min(height - bottom, to - from));
  return [top + by, bottom + by];
}
