// Colours of runs by a column: viridis for numbers, the hues of runs for categories.
import { HUES, resolved, viridis } from "@/charts/colours";
import type { Dimension } from "@/plots/dimension";
import { scaleOf } from "@/plots/scale";

// Of viridis, what stands out on the page: neither its darkest on a dark page nor its lightest on a light one.
const SHOWN = { light: [0, 0.88], dark: [0.22, 1] } as const;

export function ramp(share: number, dark: boolean): string {
  const [from, to] = SHOWN[dark ? "dark" : "light"];
  return viridis(from + (to - from) * share);
}

/** The colour of each run, resolved for a canvas; runs without the value are grey. */
export function coloursBy(dimension: Dimension | null, count: number, log: boolean, dark: boolean): readonly string[] {
  const grey = resolved("var(--fg-3)");
  if (!dimension) return Array.from({ length: count }, () => resolved("var(--accent)"));
  if (dimension.kind === "category") {
    const hues = Array.from({ length: HUES }, (_, at) => resolved(`var(--run-${at})`));
    return Array.from(dimension.values, (value) => (Number.isNaN(value) ? grey : hues[value % HUES] ?? grey));
  }
  const scale = scaleOf(dimension, [0, 1], { log });
  return Array.from(dimension.values, (value) => {
    const share = scale.place(value);
    return Number.isNaN(share) ? grey : ramp(share, dark);
  });
}
