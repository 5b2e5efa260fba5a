// What is done to many runs: the server does it, some at a time.
import { address, call, withQuery } from "@/api/client";
import { ChangeRuns, MoveRuns, QueryRuns } from "@/api/schema";
import { quotedValue, withCondition } from "@/parts/filter";

/** Runs that somebody has chosen: by their ids, or all that a filter selects but some. */
export interface Chosen {
  experimentId: string;
  /** Null for all of the filter. */
  ids: readonly string[] | null;
  except: readonly string[];
  filter: string;
  deleted: boolean;
  /** The table that was seen: what has come since is left alone. */
  snapshot: string | undefined;
  /** How many they are. */
  size: number;
}

export type Action = { action: "tag"; key: string; value: string } | { action: "delete" } | { action: "restore" };

const BATCH = 1000;
const WINDOW = 5000;
/** As many ids as fit into an address. */
export const MOST_IN_FILTER = 100;

/** Changes runs; `onDone` hears how many are done. Gives the ids of those that were changed. */
export async function changeRuns(chosen: Pick<Chosen, "experimentId" | "ids"> & Partial<Chosen>, action: Action, onDone: (done: number) => void = () => undefined): Promise<string[]> {
  const changed: string[] = [];
  const shared = { experiment_ids: [chosen.experimentId], ...action, limit: BATCH };
  if (chosen.ids !== null) {
    for (let at = 0; at < chosen.ids.length; at += BATCH) {
      const answer = await call(ChangeRuns, { ...shared, run_ids: chosen.ids.slice(at, at + BATCH) });
      changed.push(...(answer.run_ids ?? []));
      onDone(changed.length);
    }
    return changed;
  }
  let token: string | undefined;
  do {
    const answer = await call(ChangeRuns, {
      ...shared, ...(chosen.filter ? { filter: chosen.filter } : {}), except_run_ids: [...(chosen.except ?? [])],
      ...(chosen.snapshot ? { snapshot: chosen.snapshot } : {}), ...(token ? { page_token: token } : {}),
    });
    changed.push(...(answer.run_ids ?? []));
    token = answer.next_page_token ?? undefined;
    onDone(changed.length);
  } while (token);
  return changed;
}

/** The ids of chosen runs. */
export async function idsOf(chosen: Chosen): Promise<readonly string[]> {
  if (chosen.ids !== null) return chosen.ids;
  const asked = { experiment_ids: [chosen.experimentId], ...(chosen.filter ? { filter: chosen.filter } : {}), view_type: chosen.deleted ? "DELETED_ONLY" : "ACTIVE_ONLY" };
  const found: string[] = [];
  let snapshot: string | null = null;
  for (let total = Infinity; found.length < total;) {
    const table: { total: number; snapshot: string; ids?: string[] } = await call(QueryRuns, { ...asked, offset: found.length, limit: WINDOW, snapshot });
    if (!table.ids?.length) break;
    found.push(...table.ids);
    ({ total, snapshot } = table);
  }
  const left = new Set(chosen.except);
  return found.filter((id) => !left.has(id));
}

export async function moveRuns(chosen: Chosen, experimentId: string): Promise<void> {
  const ids = await idsOf(chosen);
  for (let at = 0; at < ids.length; at += BATCH) await call(MoveRuns, { run_ids: ids.slice(at, at + BATCH), experiment_id: experimentId });
}

/** The filter that selects chosen runs; null where it would be too long for an address. */
export function filterOf(chosen: Chosen): string | null {
  const named = chosen.ids ?? chosen.except;
  if (named.length > MOST_IN_FILTER) return null;
  if (named.length === 0) return chosen.filter;
  const listed = `run_id ${chosen.ids ? "" : "NOT "}IN (${named.map(quotedValue).join(", ")})`;
  return chosen.ids ? listed : withCondition(chosen.filter, listed);
}

interface Download {
  experimentId: string;
  filter: string;
  order: readonly string[];
  /** Null for everything there is. */
  columns: readonly string[] | null;
  format: "csv" | "jsonl";
  deleted: boolean;
}

/** Lets the browser fetch a table of runs as a file. */
export function download({ experimentId, filter, order, columns, format, deleted }: Download): void {
  const link = document.createElement("a");
  link.href = address(withQuery("/ajax-api/v1/runs/export", {
    experiment_ids: experimentId, filter: filter || undefined, order_by: order, format, columns: columns ?? undefined, view_type: deleted ? "DELETED_ONLY" : undefined,
  }));
  link.download = "";
  link.click();
}
