// What a monitor found, window by window, as a table of columns and statistics, and as lines over time.
import type { Threshold, WindowFindings, Finding } from "@/api/schema";
import { numberOf } from "@/base/format";
import type { Line } from "@/charts/LineChart";

/** Statistics in the order of the guide; others follow by name. */
const ORDER = ["psi", "ks", "js", "chi2", "missing", "unseen", "outliers", "error_rate", "seconds_p95", "accuracy", "mean_absolute_error", "root_mean_squared_error"];

export interface Found {
  /** "" for what is about whole rows or the service. */
  column: string;
  of: ReadonlyMap<string, Finding>;
}

/** The statistics of a window, in order, and a row for each column, whole rows last. */
export function tableOf(window: WindowFindings | undefined): { statistics: readonly string[]; rows: readonly Found[] } {
  const findings = window?.findings ?? [];
  const statistics = [...new Set(findings.map((one) => one.statistic))].sort((left, right) => place(left) - place(right) || left.localeCompare(right));
  const columns = [...new Set(findings.map((one) => one.column ?? ""))].sort((left, right) => Number(left === "") - Number(right === "") || left.localeCompare(right));
  const rows = columns.map((column) => ({
    column, of: new Map(findings.filter((one) => (one.column ?? "") === column).map((one) => [one.statistic, one] as const)),
  }));
  return { statistics, rows };
}

function place(statistic: string): number {
  const at = ORDER.indexOf(statistic);
  return at < 0 ? ORDER.length : at;
}

/** A statistic over the windows' ends, and its limit beside it. Windows come newest first, as they are read. */
export function linesOf(windows: readonly WindowFindings[], statistic: string, column: string): readonly Line[] {
  const points = windows.toReversed().flatMap((one) => {
    const found = one.findings?.find((finding) => finding.statistic === statistic && (finding.column ?? "") === column);
    const value = numberOf(found?.value);
    return found && value !== null && Number.isFinite(value) ? [{ x: one.window.end_time / 1000, value, limit: numberOf(found.limit) }] : [];
  });
  const limited = points.filter((point) => point.limit !== null);
  const lines: Line[] = [{ id: statistic, name: statistic, colour: "var(--run-0)", x: points.map(({ x }) => x), y: points.map(({ value }) => value) }];
  if (limited.length > 0) lines.push({ id: "limit", name: "limit", colour: "var(--run-7)", dash: [4, 4], x: limited.map(({ x }) => x), y: limited.map(({ limit }) => limit ?? NaN) });
  return lines;
}

/** Thresholds as lines of text, "psi=0.2" for every column and "psi:income=0.1" for one. */
export function thresholdText(thresholds: readonly Threshold[]): string {
  return thresholds.map((one) => `${one.statistic}${one.column ? `:${one.column}` : ""}=${one.limit}`).join("\n");
}

/** Raises Error for a line that is none. */
export function readThresholds(text: string): Threshold[] {
  return text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const at = line.lastIndexOf("=");
    const [statistic = "", ...column] = line.slice(0, Math.max(0, at)).split(":");
    const limit = Number(line.slice(at + 1));
    if (at < 1 || !statistic.trim() || line.slice(at + 1).trim() === "" || Number.isNaN(limit)) throw new Error(`${line} is no threshold; one is psi=0.2, or psi:income=0.1`);
    return { statistic: statistic.trim(), limit, ...(column.length > 0 ? { column: column.join(":").trim() } : {}) };
  });
}
