// Rows of the runs table: blocks of 200 rows and 24 columns, read as they come into sight, all of one snapshot.
import { useQueries, useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useRef, useState } from "react";
import { call } from "@/api/client";
import { queryClient } from "@/api/queries";
import { QueryRuns, type RunTable } from "@/api/schema";
import type { Cell } from "@/pages/runs/state";

export interface RunsRequest {
  experiment_ids: string[];
  filter?: string;
  order_by: string[];
  view_type: string;
  tree?: boolean;
  expanded?: string[];
  group_by?: string[];
  pinned_first?: boolean;
}

/** A row: a run, or a group of them. */
export interface RunRow {
  /** The id of the run; of a group, its filter. */
  id: string;
  index: number;
  value: (column: string) => Cell | undefined;
  depth: number;
  children: number;
  /** How many runs a group has; 0 for a run. */
  count: number;
  filter: string;
}

export interface RunRows {
  total: number | undefined;
  matched: number | undefined;
  rowAt: (index: number) => RunRow | undefined;
  onRange: (rows: readonly [number, number], columns: readonly [number, number]) => void;
  /** Another value whenever what `rowAt` gives may have changed. */
  version: string;
  error: Error | null;
  /** The ids of the rows that are loaded. */
  loaded: () => string[];
  /** Reads the table anew, with the runs that have come. */
  renew: () => void;
  /** Puts new values of runs over those that were read. */
  patch: (ids: readonly string[], cols: Readonly<Record<string, readonly unknown[]>>) => void;
  snapshot: string | undefined;
}

export const ROWS = 200;
const COLUMNS = 24;
const RUN_NAME = "attributes.run_name";
const SETTLED_MS = 60;
const FRESH_MS = 2000;
export const RUNS_KEY = "runs table";

/** How the first block of a table is asked for. */
function headQuery(request: RunsRequest, chunk: readonly string[], turn: number) {
  return {
    queryKey: [RUNS_KEY, request, turn, "head", chunk],
    queryFn: ({ signal }: { signal: AbortSignal }) => call(QueryRuns, { ...request, columns: [...chunk], offset: 0, limit: ROWS }, signal),
    // Whoever comes back sees the runs of now; on a page that stays, it is the reader who lets new ones in.
    staleTime: FRESH_MS, refetchOnWindowFocus: false, refetchOnReconnect: false,
  };
}

/**
 * The rows of a table. `columns` are in the order of the table; `beside` come with the first of them, without being
 * columns themselves.
 */
export function useRunRows(request: RunsRequest, columns: readonly string[], beside: readonly string[], enabled: boolean): RunRows {
  const [turn, setTurn] = useState(0);
  const [range, setRange] = useState<readonly [number, number, number, number]>([0, 0, 0, 0]);
  const [patches, setPatches] = useState<ReadonlyMap<string, Readonly<Record<string, unknown>>>>(new Map());
  const timer = useRef(0);
  // Rows stay while others of the same kind are read; runs are not shown as groups.
  const kind = (request.group_by ?? []).join();
  const chunks = useMemo(() => {
    const made: string[][] = [];
    // Groups have no name; their place in the table stays theirs.
    for (let at = 0; at < Math.max(1, columns.length); at += COLUMNS) made.push(columns.slice(at, at + COLUMNS).filter((column) => !kind || column !== RUN_NAME));
    made[0]?.push(...beside);
    return made;
  }, [columns, beside, kind]);
  const head = useQuery({
    ...headQuery(request, chunks[0] ?? [], turn), enabled, structuralSharing: false,
    placeholderData: (before, query) => (((query?.queryKey[1] as RunsRequest | undefined)?.group_by ?? []).join() === kind ? before : undefined),
  });
  const snapshot = head.isPlaceholderData ? undefined : head.data?.snapshot;
  const wanted = useMemo(() => {
    if (snapshot === undefined) return [];
    const blocks: { block: number; chunk: readonly string[] }[] = [];
    for (let block = Math.floor(range[0] / ROWS); block <= Math.floor(range[1] / ROWS); block += 1) {
      for (let at = Math.floor(range[2] / COLUMNS); at <= Math.min(Math.floor(range[3] / COLUMNS), chunks.length - 1); at += 1) {
        const chunk = chunks[at];
        if (chunk && !(block === 0 && at === 0)) blocks.push({ block, chunk });
      }
    }
    return blocks;
  }, [range, chunks, snapshot]);
  const requestText = JSON.stringify(request);
  const keyOf = useCallback((block: number, chunk: readonly string[]) => [RUNS_KEY, JSON.parse(requestText), turn, snapshot, block, chunk], [requestText, turn, snapshot]);
  const results = useQueries({
    queries: wanted.map(({ block, chunk }) => ({
      queryKey: keyOf(block, chunk),
      queryFn: ({ signal }: { signal: AbortSignal }) => call(QueryRuns, { ...request, columns: [...chunk], offset: block * ROWS, limit: ROWS, snapshot }, signal),
      staleTime: Infinity, gcTime: 60_000, structuralSharing: false,
    })),
  });
  const version = `${snapshot ?? "before"} ${turn} ${head.dataUpdatedAt} ${results.map((result) => result.dataUpdatedAt).join()} ${patches.size}`;
  const headData = head.data;
  const rowAt = useMemo(() => rowReader(chunks, patches, (block, at) => {
    if (block === 0 && at === 0) return headData;
    const chunk = chunks[at];
    return chunk && snapshot !== undefined ? queryClient.getQueryData<RunTable>(keyOf(block, chunk)) : undefined;
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `version` stands for what the cache holds
  }), [chunks, headData, keyOf, patches, version]);
  const onRange = useCallback((rows: readonly [number, number], shown: readonly [number, number]) => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setRange([rows[0], rows[1], shown[0], shown[1]]), SETTLED_MS);
  }, []);
  const loaded = useCallback(() => queryClient.getQueriesData<RunTable>({ queryKey: [RUNS_KEY, JSON.parse(requestText)] }).flatMap(([, data]) => data?.ids ?? []), [requestText]);
  const patch = useCallback((ids: readonly string[], cols: Readonly<Record<string, readonly unknown[]>>) => {
    setPatches((before) => {
      const next = new Map(before);
      ids.forEach((id, at) => next.set(id, { ...next.get(id), ...Object.fromEntries(Object.entries(cols).map(([column, values]) => [column, values[at]])) }));
      return next;
    });
  }, []);
  const renew = useCallback(() => {
    setPatches(new Map());
    setTurn((before) => before + 1);
  }, []);
  return {
    total: head.data?.total, matched: head.data?.matched, rowAt, onRange, version, snapshot, loaded, renew, patch,
    error: head.error ?? results.find((result) => result.error)?.error ?? null,
  };
}

type Patches = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** Rows out of blocks; each is made once, so that the table renders it once. */
function rowReader(
  chunks: readonly (readonly string[])[], patches: Patches, part: (block: number, chunk: number) => RunTable | undefined,
): (index: number) => RunRow | undefined {
  const chunkOf = new Map<string, number>();
  chunks.forEach((chunk, at) => chunk.forEach((column) => chunkOf.set(column, at)));
  const made = new Map<number, RunRow | undefined>();
  return (index) => {
    if (made.has(index)) return made.get(index);
    const block = Math.floor(index / ROWS);
    const place = index - block * ROWS;
    let first: RunTable | undefined;
    for (let at = 0; at < Math.max(1, chunks.length) && !first; at += 1) first = part(block, at);
    const id = first?.ids?.[place] ?? "";
    const filter = first?.filters?.[place] ?? "";
    const count = first?.counts?.[place] ?? 0;
    const row: RunRow | undefined = first && (id || count) ? {
      id: id || `group ${index} ${filter}`, index, depth: first.depths?.[place] ?? 0, children: first.children?.[place] ?? 0, count, filter,
      value: (column) => {
        const patched = patches.get(id)?.[column];
        if (patched !== undefined) return patched as Cell;
        const at = chunkOf.get(column);
        return (at === undefined ? undefined : part(block, at)?.cols?.[column]?.[place]) as Cell | undefined;
      },
    } : undefined;
    made.set(index, row);
    return row;
  };
}
