import { useMemo } from "react";
import { useOperation } from "@/api/queries";
import { GetRun, QueryRuns, SearchModelVersions, type ModelVersion } from "@/api/schema";
import type { Figure } from "@/base/format";
import { quotedValue } from "@/parts/filter";

export const STAGES = ["None", "Staging", "Production", "Archived"] as const;
export type Stage = (typeof STAGES)[number];

/** Versions of a model that are read; runs are asked for in one question. */
export const MOST_VERSIONS = 5000;
const MOST_COLUMNS = 40;
const FRESH_MS = 30_000;

/** The versions of a model, the newest first. */
export function useVersions(name: string) {
  return useOperation(SearchModelVersions, { filter: `name = ${quotedValue(name)}`, order_by: ["version_number DESC"], max_results: MOST_VERSIONS });
}

export interface RunMetrics {
  /** The metrics of the newest version's run, and how they are of the others. */
  keys: readonly string[];
  valueOf: (version: ModelVersion, metric: string) => Figure | null;
  nameOf: (version: ModelVersion) => string | null;
}

const NO_VERSIONS: readonly ModelVersion[] = [];

/** The metrics of the runs that made these versions. */
export function useRunMetrics(versions: readonly ModelVersion[] = NO_VERSIONS): RunMetrics {
  const newest = versions.find((version) => version.run_id)?.run_id;
  const first = useOperation(GetRun, newest ? { run_id: newest } : null, { staleTime: FRESH_MS, retry: false });
  const keys = useMemo(() => (first.data?.run.data?.metrics ?? []).map((metric) => metric.key).filter((key) => !key.startsWith("system/")).sort().slice(0, MOST_COLUMNS), [first.data]);
  const runs = useMemo(() => [...new Set(versions.flatMap((version) => (version.run_id ? [version.run_id] : [])))], [versions]);
  const table = useOperation(
    QueryRuns,
    first.data || first.error ? { experiment_ids: [], run_ids: runs, columns: ["attributes.run_name", ...keys.map((key) => `metrics.${key}`)] } : null,
    { staleTime: FRESH_MS, enabled: runs.length > 0 },
  );
  return useMemo(() => {
    const rows = new Map((table.data?.ids ?? []).map((id, row) => [id, row]));
    const cell = (version: ModelVersion, column: string) => {
      const row = version.run_id ? rows.get(version.run_id) : undefined;
      return row === undefined ? null : table.data?.cols?.[column]?.[row] ?? null;
    };
    return {
      keys,
      valueOf: (version, metric) => cell(version, `metrics.${metric}`) as Figure | null,
      nameOf: (version) => cell(version, "attributes.run_name") as string | null,
    };
  }, [table.data, keys]);
}
