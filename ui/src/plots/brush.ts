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
