// The runs of a comparison: their keys, then the cells of as many of them as are worth reading, in one request.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { call } from "@/api/client";
import { useEvents } from "@/api/events";
import { queryClient, useOperation } from "@/api/queries";
import { ListColumns, QueryRuns, type RunColumn } from "@/api/schema";
import { dimensionOf, varies, type Cell, type Dimension } from "@/plots/dimension";
import type { Key } from "@/plots/KeyPicker";
import type { NamedRun } from "@/plots/RunTip";
import { titleOf } from "@/pages/compare/state";

export interface Wanted {
  sel: readonly string[];
  exp: readonly string[];
  q: string;
}

export interface Comparison {
  runs: readonly NamedRun[];
  /** How many runs fit the filter; more than `runs` when there are too many to compare. */
  total: number;
  experimentIds: readonly string[];
  /** Every column that there is to choose. */
  keys: readonly Key[];
  /** Those whose cells are here, parameters first. */
  columns: readonly string[];
  varying: readonly string[];
  cells: (column: string) => readonly Cell[];
  dimension: (column: string) => Dimension;
}

const WINDOW = 5000;
const MOST_RUNS = 10_000;
const MOST_CELLS = 300_000;
// What the server reads at once, in cells.
const MOST_AT_ONCE = 500_000;
const MOST_COLUMNS = 400;
const SETTLED_MS = 1000;
const FACTS = ["attributes.run_name", "attributes.status", "attributes.start_time", "attributes.duration", "attributes.experiment_id"];
const HEAD = "runs to compare";
const CELLS = "compared runs";

interface Cells {
  ids: readonly string[];
  cols: Readonly<Record<string, readonly Cell[]>>;
  total: number;
}

/** The columns to read of so many runs: parameters and metrics, the most used first, and those that are chosen. */
export function columnsToRead(known: readonly RunColumn[], runs: number, chosen: readonly string[]): string[] {
  const most = Math.max(24, Math.min(MOST_COLUMNS, Math.floor(MOST_CELLS / Math.max(1, runs))));
  const named = (kind: string) => known.filter((column) => column.kind === kind && !column.key.startsWith("mlflow.")).map((column) => `${kind}s.${column.key}`);
  const [params, metrics] = [named("param"), named("metric")];
  const room = Math.max(most - metrics.length, Math.ceil(most / 2));
  const base = [...params.slice(0, room), ...metrics.slice(0, most - Math.min(room, params.length))];
  return [...new Set([...base, ...chosen.filter((column) => column.includes(".") && !FACTS.includes(column))])];
}

async function readCells(wanted: Wanted, columns: readonly string[], signal: AbortSignal): Promise<Cells> {
  const asked = [...FACTS, ...columns];
  if (wanted.sel.length > 0) {
    const runs = wanted.sel.slice(0, WINDOW);
    const table = await call(QueryRuns, { experiment_ids: [], run_ids: runs, columns: asked, limit: runs.length }, signal);
    return { ids: table.ids ?? [], cols: (table.cols ?? {}) as Cells["cols"], total: wanted.sel.length };
  }
  const limit = Math.min(WINDOW, Math.floor(MOST_AT_ONCE / asked.length));
  const request = { experiment_ids: [...wanted.exp], ...(wanted.q ? { filter: wanted.q } : {}), columns: asked, limit };
  const first = await call(QueryRuns, { ...request, offset: 0 }, signal);
  const ids = [...first.ids ?? []];
  const cols = Object.fromEntries(asked.map((column) => [column, [...(first.cols?.[column] ?? []) as Cell[]]]));
  for (let offset = limit; offset < Math.min(first.total, MOST_RUNS); offset += limit) {
    const next = await call(QueryRuns, { ...request, offset, snapshot: first.snapshot }, signal);
    ids.push(...next.ids ?? []);
    for (const column of asked) cols[column]?.push(...(next.cols?.[column] ?? []) as Cell[]);
  }
  return { ids, cols, total: first.total };
}

export function useComparison(wanted: Wanted, chosen: readonly string[], enabled: boolean) {
  const given = wanted.sel.length > 0;
  const head = useQuery({
    queryKey: [HEAD, wanted.sel], enabled: enabled && given, staleTime: Infinity,
    queryFn: ({ signal }) => call(QueryRuns, { experiment_ids: [], run_ids: wanted.sel.slice(0, WINDOW), columns: ["attributes.experiment_id"], limit: WINDOW }, signal),
  });
  const experimentIds = useMemo(
    () => (given ? [...new Set((head.data?.cols?.["attributes.experiment_id"] ?? []) as string[])] : [...wanted.exp]), [given, head.data, wanted.exp],
  );
  const keys = useOperation(ListColumns, enabled && experimentIds.length > 0 ? { experiment_ids: experimentIds, kinds: ["metric", "param"] } : null, { staleTime: 60_000 });
  const count = given ? wanted.sel.length : keys.data?.runs ?? 0;
  const columns = useMemo(() => (keys.data ? columnsToRead(keys.data.columns ?? [], count, chosen) : null), [keys.data, count, chosen]);
  const cells = useQuery({
    queryKey: [CELLS, wanted, columns], enabled: enabled && columns !== null, staleTime: 30_000, placeholderData: keepPreviousData, structuralSharing: false,
    queryFn: ({ signal }) => readCells(wanted, columns ?? [], signal),
  });
  useLive(experimentIds, cells.data?.ids);
  const comparison = useMemo(() => cells.data && comparisonOf(cells.data, keys.data?.columns ?? [], experimentIds), [cells.data, keys.data, experimentIds]);
  const nothing = head.data !== undefined && experimentIds.length === 0;
  const error = head.error ?? keys.error ?? cells.error;
  return {
    data: comparison, error, nothing, problem: wanted.q && cells.error ? cells.error.message : null,
    refetch: () => void Promise.all([given ? head.refetch() : null, keys.refetch(), cells.refetch()]),
  };
}

/** Reads the cells again a moment after one of the runs has changed. */
function useLive(experimentIds: readonly string[], ids: readonly string[] | undefined): void {
  const timer = useRef(0);
  const there = useMemo(() => new Set(ids), [ids]);
  useEvents(experimentIds.length > 0 && ids ? { experimentIds } : null, (changes) => {
    if (!changes.reset && !(changes.changes ?? []).some((change) => change.kind === "run" && there.has(change.id))) return;
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => void queryClient.invalidateQueries({ queryKey: [CELLS] }), SETTLED_MS);
  });
  useEffect(() => () => clearTimeout(timer.current), []);
}

export function comparisonOf(cells: Cells, known: readonly RunColumn[], experimentIds: readonly string[]): Comparison {
  const names = cells.cols["attributes.run_name"] ?? [];
  const columns = Object.keys(cells.cols).filter((column) => !column.startsWith("attributes."));
  const order = [...columns.filter((column) => column.startsWith("params.")), ...columns.filter((column) => !column.startsWith("params."))];
  const dimensions = new Map<string, Dimension>();
  const empty = cells.ids.map(() => null);
  const of = (column: string) => cells.cols[column] ?? empty;
  return {
    runs: cells.ids.map((id, at) => ({ id, name: String(names[at] ?? id) })), total: cells.total, experimentIds, columns: order,
    varying: order.filter((column) => varies(of(column))),
    keys: [
      ...known.filter((column) => !column.key.startsWith("mlflow.")).map((column) => ({ id: `${column.kind}s.${column.key}`, title: column.key, detail: column.kind })),
      ...["attributes.duration", "attributes.status", ...(experimentIds.length > 1 ? ["attributes.experiment_id"] : [])].map((id) => ({ id, title: titleOf(id), detail: "attribute" })),
    ],
    cells: of,
    dimension: (column) => {
      const made = dimensions.get(column) ?? dimensionOf(column, titleOf(column), of(column));
      dimensions.set(column, made);
      return made;
    },
  };
}

const MOST_CATEGORIES = 60;
const PARAMS = 7;
const METRICS = 4;

/** The columns that a comparison shows by itself: those that vary and say something. */
export function chosenByDefault(comparison: Comparison): { params: string[]; metrics: string[]; numbers: string[]; categories: string[] } {
  const telling = comparison.varying.filter((column) => {
    const dimension = comparison.dimension(column);
    return dimension.domain !== null && (dimension.kind === "number" || (dimension.categories.length <= MOST_CATEGORIES && dimension.categories.length > 1));
  });
  const params = telling.filter((column) => column.startsWith("params."));
  const metrics = telling.filter((column) => column.startsWith("metrics.") && !column.startsWith("metrics.system/"));
  return {
    params: params.slice(0, PARAMS), metrics: metrics.slice(0, METRICS),
    numbers: params.filter((column) => comparison.dimension(column).kind === "number"),
    categories: params.filter((column) => comparison.dimension(column).kind === "category"),
  };
}
