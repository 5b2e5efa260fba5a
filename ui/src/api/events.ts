// What changes on the server, as it happens: an event stream, or a question each five seconds where there is none.
import { useEffect, useRef } from "react";
import { address, ask, withQuery } from "@/api/client";
import { Marks } from "@/api/marks";
import type { Figure } from "@/base/format";

export interface Change {
  kind: string;
  id: string;
  experiment_id?: string;
}

export interface Changes {
  seq: number;
  changes?: readonly Change[];
  /** Cells of the changed runs, of the columns that were asked for. */
  cells?: { ids: readonly string[]; cols: Readonly<Record<string, readonly (Figure | null | readonly string[])[]>> };
  /** Too much has changed since: everything is to be read again. */
  reset?: boolean;
}

interface Watched {
  experimentIds?: readonly string[];
  columns?: readonly string[];
}

const POLL_MS = 5000;
const EVENTS = "/ajax-api/v1/events";
const CHANGES = "/ajax-api/v1/changes";
const marks = new Marks(seqOfShell());

/** The number of the last change when the shell of this page was made: all that is shown was read after it. */
function seqOfShell(): number | null {
  if (typeof document === "undefined") return null;
  const told = document.querySelector<HTMLMetaElement>('meta[name="changes"]')?.content;
  return told === undefined ? null : Number(told);
}

/** Calls `onChanges` with what changes while the tab is seen; on return, with what changed meanwhile. */
export function useEvents(watched: Watched | null, onChanges: (changes: Changes) => void): void {
  const latest = useRef(onChanges);
  useEffect(() => {
    latest.current = onChanges;
  });
  const wanted = watched && JSON.stringify({ experiment_ids: watched.experimentIds, columns: watched.columns });
  useEffect(() => {
    if (wanted === null) return;
    return watch(JSON.parse(wanted) as Record<string, unknown>, (changes) => latest.current(changes));
  }, [wanted]);
}

function watch(fields: Record<string, unknown>, tell: (changes: Changes) => void): () => void {
  let seq = marks.before(Date.now());
  let source: EventSource | null = null;
  let timer = 0;
  let over = false;
  const told = (changes: Changes) => {
    seq = changes.seq;
    marks.put(seq, Date.now());
    if (!over && (changes.changes?.length || changes.cells || changes.reset)) tell(changes);
  };
  const poll = async () => {
    try {
      const answer = await ask("GET", withQuery(CHANGES, { ...fields, columns: undefined, since: seq }));
      told(await answer.json() as Changes);
    } catch {
      // The next question may be answered.
    }
    if (!over && !document.hidden) timer = window.setTimeout(() => void poll(), POLL_MS);
  };
  const start = () => {
    if (over || document.hidden || source) return;
    clearTimeout(timer);
    source = new EventSource(address(withQuery(EVENTS, { ...fields, since: seq })));
    const read = (event: MessageEvent<string>) => told(JSON.parse(event.data) as Changes);
    source.addEventListener("hello", read);
    source.addEventListener("changes", read);
    source.addEventListener("error", () => {
      // A stream that was refused stays closed; one that broke is opened again by the browser.
      if (source?.readyState !== EventSource.CLOSED) return;
      source = null;
      timer = window.setTimeout(() => void poll(), POLL_MS);
    });
  };
  const stop = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const turn = () => {
    if (document.hidden) stop();
    else start();
  };
  document.addEventListener("visibilitychange", turn);
  start();
  return () => {
    over = true;
    stop();
    document.removeEventListener("visibilitychange", turn);
  };
}
