// What this browser keeps of how an experiment's runs are looked at: columns, widths, heat maps, what stays at the left.
import { useState } from "react";

export interface Kept {
  cols: readonly string[];
  widths: Readonly<Record<string, number>>;
  heat: readonly string[];
  pinned: readonly string[];
}

const NOTHING: Kept = { cols: [], widths: {}, heat: [], pinned: [] };

export function useKept(experimentId: string): [Kept, (change: Partial<Kept>) => void] {
  const name = `millstream.runs.${experimentId}`;
  const [kept, setKept] = useState<Kept>(() => read(name));
  return [kept, (change) => setKept((before) => {
    const next = { ...before, ...change };
    try {
      localStorage.setItem(name, JSON.stringify(next));
    } catch {
      // A browser that keeps nothing forgets it with the page.
    }
    return next;
  })];
}

function read(name: string): Kept {
  try {
    return { ...NOTHING, ...(JSON.parse(localStorage.getItem(name) ?? "{}") as Partial<Kept>) };
  } catch {
    return NOTHING;
  }
}
