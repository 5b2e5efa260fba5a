// Rows of a long list, read in windows as they come into sight.
import { useQueries } from "@tanstack/react-query";
import { useCallback, useMemo, useRef, useState } from "react";
import { queryClient } from "@/api/queries";

export interface Window<Row> {
  total: number;
  rows: readonly Row[];
}

interface Options<Row> {
  /** What the list is: another key is another list. */
  key: readonly unknown[];
  size?: number;
  load: (offset: number, limit: number, signal: AbortSignal) => Promise<Window<Row>>;
  enabled?: boolean;
}

export interface Windows<Row> {
  /** How many rows there are; undefined before the first answer. */
  total: number | undefined;
  rowAt: (index: number) => Row | undefined;
  /** To be told which rows are in sight. */
  onRange: (rows: readonly [number, number]) => void;
  error: Error | null;
  /** Whether rows in sight are still of another key or not there. */
  pending: boolean;
  refetch: () => void;
}

const SIZE = 200;
const SETTLED_MS = 60;

export function useWindows<Row>({ key, size = SIZE, load, enabled = true }: Options<Row>): Windows<Row> {
  const [range, setRange] = useState<readonly [number, number]>([0, 0]);
  const timer = useRef(0);
  const [total, setTotal] = useState<number | undefined>(undefined);
  const first = Math.floor(range[0] / size);
  const last = Math.floor(range[1] / size);
  const pages = Array.from({ length: last - first + 1 }, (_, at) => first + at);
  const results = useQueries({
    queries: pages.map((page) => ({
      queryKey: [...key, page * size, size],
      queryFn: ({ signal }: { signal: AbortSignal }) => load(page * size, size, signal),
      enabled,
    })),
  });
  const known = results.find((result) => result.data)?.data?.total;
  if (known !== undefined && known !== total) setTotal(known);
  const text = JSON.stringify(key);
  // A new function whenever rows have come, so that the table renders them.
  const arrived = results.map((result) => result.dataUpdatedAt).join();
  const rowAt = useMemo(() => (index: number) => {
    const page = Math.floor(index / size);
    return queryClient.getQueryData<Window<Row>>([...(JSON.parse(text) as unknown[]), page * size, size])?.rows[index - page * size];
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `arrived` stands for what the cache holds
  }, [text, size, arrived]);
  const onRange = useCallback((rows: readonly [number, number]) => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setRange(rows), SETTLED_MS);
  }, []);
  return {
    total: known ?? total,
    rowAt,
    onRange,
    error: results.find((result) => result.error)?.error ?? null,
    pending: results.some((result) => result.isPending),
    refetch: () => results.forEach((result) => void result.refetch()),
  };
}
