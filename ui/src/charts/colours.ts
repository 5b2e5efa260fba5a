// Colours of runs and scales: by order of selection, so that neighbours never share one.

export const HUES = 10;

export interface LineStyle {
  /** A CSS variable of the theme. */
  colour: string;
  /** Dashes in pixels; none for the first ten runs. */
  dash: readonly number[];
}

const DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 2], [8, 3, 2, 3]];

/** How the `index`-th of the chosen runs is drawn: ten hues, then the same hues with dashes. */
export function styleOf(index: number): LineStyle {
  return { colour: `var(--run-${index % HUES})`, dash: DASHES[Math.floor(index / HUES) % DASHES.length] ?? [] };
}

/**
 * How each of some runs is drawn: those that somebody gave a colour have it, the others are told apart by their order,
 * in hues that nobody chose for as long as there are some.
 */
export function stylesOf(ids: readonly string[], chosen: ReadonlyMap<string, number>): LineStyle[] {
  const taken = new Set(ids.flatMap((id) => chosen.get(id) ?? []));
  const free = Array.from({ length: HUES }, (_, hue) => hue).filter((hue) => !taken.has(hue));
  const hues = free.length > 0 ? free : Array.from({ length: HUES }, (_, hue) => hue);
  let next = 0;
  return ids.map((id) => {
    const colour = chosen.get(id);
    if (colour !== undefined) return { colour: `var(--run-${Math.abs(colour) % HUES})`, dash: [] };
    const at = next;
    next += 1;
    return { colour: `var(--run-${hues[at % hues.length] ?? 0})`, dash: DASHES[Math.floor(at / hues.length) % DASHES.length] ?? [] };
  });
}

/** The colour behind a CSS variable, for a canvas. */
export function resolved(colour: string): string {
  const name = /^var\((--[\w-]+)\)$/.exec(colour)?.[1];
  return name ? getComputedStyle(document.documentElement).getPropertyValue(name).trim() : colour;
}

/** A colour of "#rrggbb" made see-through. */
export function faint(colour: string, opacity: number): string {
  const parts = /^#(..)(..)(..)$/.exec(colour);
  return parts ? `rgb(${parts.slice(1).map((part) => parseInt(part, 16)).join(" ")} / ${opacity})` : colour;
}

const VIRIDIS = ["#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6dcd59", "#b4de2c", "#fde725"];

/** Viridis at 0 to 1. */
export function viridis(share: number): string {
  const at = Math.max(0, Math.min(1, share)) * (VIRIDIS.length - 1);
  const low = Math.floor(at);
  const from = channels(VIRIDIS[low] ?? "#440154");
  const to = channels(VIRIDIS[Math.min(low + 1, VIRIDIS.length - 1)] ?? "#fde725");
  return `rgb(${from.map((part, index) => Math.round(part + ((to[index] ?? 0) - part) * (at - low))).join(" ")})`;
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}
