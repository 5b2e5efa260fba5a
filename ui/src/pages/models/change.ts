import { number, numberOf, type Figure } from "@/base/format";

export interface Difference {
  /** With its sign, as "+0.03". */
  text: string;
  /** Null where neither is better. */
  better: boolean | null;
}

const DIGITS = 3;

/** How far a value is from the one before, and whether that is to the good; null where one of them is no number. */
export function difference(value: Figure | null | undefined, before: Figure | null | undefined, goal: string): Difference | null {
  const [now, then] = [numberOf(value), numberOf(before)];
  if (now === null || then === null || !Number.isFinite(now) || !Number.isFinite(then)) return null;
  const apart = now - then;
  if (apart === 0) return { text: "±0", better: null };
  return { text: `${apart > 0 ? "+" : ""}${number(apart, DIGITS)}`, better: apart > 0 === (goal !== "min") };
}
