// What the address of a run's page holds, and what its tags say.
import type { Run } from "@/api/schema";
import { choice, flag, numeric, text } from "@/base/url";

export const TABS = ["overview", "charts", "system", "artifacts", "logs", "model"] as const;
export type Tab = (typeof TABS)[number];

export const STATE = {
  tab: choice(TABS),
  /** The run that this one is compared with. */
  diff: text(),
  find: text(),
  x: choice(["step", "time", "relative"]),
  smooth: numeric(0),
  log: flag(),
  /** The artifact that is shown, and in which of its forms. */
  path: text(),
  look: text(),
  /** The logged model that is described. */
  model: text(),
};

export const NOTE = "mlflow.note.content";
export const PARENT = "mlflow.parentRunId";
const SYSTEM = "system/";
const HISTORY = "mlflow.log-model.history";

export function tagOf(run: Run, key: string): string | undefined {
  return run.data?.tags?.find((tag) => tag.key === key)?.value;
}

export function isSystem(metric: string): boolean {
  return metric.startsWith(SYSTEM);
}

/** How long a run took, or has taken until now; null if it has not begun. Milliseconds. */
export function tookOf(run: Run, now: number = Date.now()): number | null {
  const { start_time: start, end_time: end, status } = run.info;
  if (!start) return null;
  if (end) return end - start;
  return status === "RUNNING" ? now - start : null;
}

const TOTAL = "total_steps";

/** How far a running run is, 0 to 1, by its tag or parameter total_steps; null if it does not tell. */
export function progressOf(run: Run): number | null {
  if (run.info.status !== "RUNNING") return null;
  const told = tagOf(run, TOTAL) ?? run.data?.params?.find((param) => param.key === TOTAL)?.value;
  const total = Number(told ?? NaN);
  const steps = (run.data?.metrics ?? []).filter((metric) => !isSystem(metric.key)).map((metric) => metric.step ?? 0);
  return total > 0 && Number.isFinite(total) && steps.length > 0 ? Math.min(1, Math.max(...steps) / total) : null;
}

/** Folders of models among a run's artifacts, as clients before logged models note them. */
export function modelFolders(run: Run): readonly string[] {
  try {
    const logged = JSON.parse(tagOf(run, HISTORY) ?? "[]") as { artifact_path?: unknown }[];
    return [...new Set(logged.flatMap(({ artifact_path: folder }) => (typeof folder === "string" ? [folder] : [])))];
  } catch {
    return [];
  }
}

/** Keys of curves as they are drawn: those that are pinned, then the others, each in their order. */
export function pinnedFirst(keys: readonly string[], pinned: readonly string[]): string[] {
  return [...pinned.filter((key) => keys.includes(key)), ...keys.filter((key) => !pinned.includes(key))];
}
