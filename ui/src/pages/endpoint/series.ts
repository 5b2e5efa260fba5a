// Stored figures of versions as lines of charts: one line a version, a point a step.
import type { ServiceFigures } from "@/api/schema";
import { numberOf } from "@/base/format";
import { styleOf } from "@/charts/colours";
import type { Line } from "@/charts/LineChart";
import { MINUTE_MS, type Window } from "@/pages/serving/figures";

export interface Measure {
  key: string;
  title: string;
  /** Its value in one step of `seconds`; undefined where there is none. */
  of: (one: ServiceFigures, seconds: number) => number | undefined;
  /** What a step without requests shows; NaN for nothing. */
  none: number;
}

const milliseconds = (value: ServiceFigures["p50"]) => 1000 * (numberOf(value) ?? 0);

export const MEASURES: readonly Measure[] = [
  { key: "rate", title: "Requests/s", of: (one, seconds) => (one.requests ?? 0) / seconds, none: 0 },
  { key: "errors", title: "Errors, %", of: (one) => (one.requests ? (100 * (one.errors ?? 0)) / one.requests : undefined), none: NaN },
  { key: "p50", title: "p50, ms", of: (one) => (one.requests ? milliseconds(one.p50) : undefined), none: NaN },
  { key: "p95", title: "p95, ms", of: (one) => (one.requests ? milliseconds(one.p95) : undefined), none: NaN },
];

/** The versions that figures tell of, the oldest first. */
export function versionsOf(figures: readonly ServiceFigures[]): readonly string[] {
  return [...new Set(figures.map((one) => one.version ?? ""))].sort((left, right) => Number(left) - Number(right));
}

/** A line a version, over seconds since the epoch: a point a step of the window, where it has a value. */
export function linesOf(figures: readonly ServiceFigures[], measure: Measure, window: Window): readonly Line[] {
  const step = window.step_minutes * MINUTE_MS;
  const count = Math.round((window.end_time - window.start_time) / step);
  return versionsOf(figures).map((version, index) => {
    const values = Array.from({ length: count }, () => measure.none);
    for (const one of figures) {
      const at = Math.floor((one.time - window.start_time) / step);
      const value = (one.version ?? "") === version && at >= 0 && at < count ? measure.of(one, step / 1000) : undefined;
      if (value !== undefined) values[at] = value;
    }
    const points = values.flatMap((value, at) => (Number.isNaN(value) ? [] : [[(window.start_time + at * step) / 1000, value] as const]));
    const { colour, dash } = styleOf(index);
    return { id: version, name: version ? `version ${version}` : "no version", colour, ...(dash ? { dash } : {}), x: points.map(([x]) => x), y: points.map(([, y]) => y) };
  });
}
