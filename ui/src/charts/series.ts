// Lines with axes of their own, put on one; smoothing; what a chart says in words.
import type { AlignedData } from "uplot";
import { counted, number } from "@/base/format";
import type { Line } from "@/charts/LineChart";

export interface Drawn {
  /** The place of its line. */
  line: number;
  kind: "max" | "min" | "raw" | "value";
}

/** The data of all lines on one axis, and what each row of it is. */
export function aligned(lines: readonly Line[], smoothing: number): { data: AlignedData; series: Drawn[] } {
  const places = new Set<number>();
  for (const line of lines) for (let at = 0; at < line.x.length; at += 1) places.add(line.x[at] ?? 0);
  const x = Float64Array.from(places).sort();
  const index = new Map<number, number>();
  x.forEach((value, at) => index.set(value, at));
  const rows: (number | null | undefined)[][] = [];
  const series: Drawn[] = [];
  const add = (line: number, kind: Drawn["kind"], values: ArrayLike<number>) => {
    const row = new Array<number | null | undefined>(x.length).fill(undefined);
    const places = lines[line]?.x ?? [];
    for (let at = 0; at < places.length; at += 1) {
      const value = values[at];
      row[index.get(places[at] ?? 0) ?? 0] = value === undefined || !Number.isFinite(value) ? null : value;
    }
    rows.push(row);
    series.push({ line, kind });
  };
  lines.forEach((line, at) => {
    if (line.min && line.max && differ(line.min, line.max)) {
      add(at, "max", line.max);
      add(at, "min", line.min);
    }
    if (smoothing > 0) {
      add(at, "raw", line.y);
      add(at, "value", smoothed(line.y, smoothing));
    } else add(at, "value", line.y);
  });
  return { data: [x as unknown as number[], ...rows] as AlignedData, series };
}

function differ(low: ArrayLike<number>, high: ArrayLike<number>): boolean {
  for (let at = 0; at < low.length; at += 1) if (low[at] !== high[at]) return true;
  return false;
}

/** An exponential moving average that does not lean to its first value; what is not finite stays as it is. */
export function smoothed(values: ArrayLike<number>, weight: number): Float64Array {
  const made = new Float64Array(values.length);
  let sum = 0;
  let seen = 0;
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at] ?? Number.NaN;
    if (!Number.isFinite(value)) {
      made[at] = value;
      continue;
    }
    sum = sum * weight + (1 - weight) * value;
    seen += 1;
    made[at] = sum / (1 - weight ** seen);
  }
  return made;
}

/** What a chart shows, in a sentence. */
export function summary(label: string, lines: readonly Line[]): string {
  const said = lines.slice(0, 20).map((line) => {
    const values = Array.from(line.y).filter(Number.isFinite);
    return values.length ? `${line.name}: from ${number(values[0])} to ${number(values[values.length - 1])}` : `${line.name}: no values`;
  });
  return `${label}, ${counted(lines.length, "line")}. ${said.join("; ")}`;
}
