import { useState } from "react";
import { call } from "@/api/client";
import { queryClient, refresh } from "@/api/queries";
import { DeleteExperiment, DeleteRun, GetExperiment, GetRun, ListTrash, RestoreExperiment, RestoreRun, type Discarded } from "@/api/schema";
import { useWindows } from "@/api/windows";
import { count, counted } from "@/base/format";
import { useKeys } from "@/base/keys";
import { choice, text, useUrlState } from "@/base/url";
import { Page } from "@/frame/Page";
import { Link, path } from "@/frame/router";
import { Button, IconButton } from "@/parts/Button";
import { ErrorCard, Empty } from "@/parts/States";
import { Table, type Column } from "@/parts/Table";
import { Switch } from "@/parts/Tabs";
import { toast, toastError } from "@/parts/Toast";
import { Time } from "@/parts/Values";
import "@/pages/trash/trash.css";

const STATE = { q: text(), kind: choice(["all", "experiment", "run"]) };
const TRASH = "trash";
const KINDS = [["all", "All"], ["experiment", "Experiments"], ["run", "Runs"]] as const;

/** What was deleted and is still there, what was deleted last first. */
export default function Trash() {
  const [state, set] = useUrlState(STATE);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const request = { ...(state.kind === "all" ? {} : { kind: state.kind }), ...(state.q ? { text: state.q } : {}) };
  const list = useWindows<Discarded>({
    key: [TRASH, request],
    load: async (offset, limit, signal) => {
      const answer = await call(ListTrash, { ...request, offset, limit }, signal);
      const total = (state.kind === "run" ? 0 : answer.experiments) + (state.kind === "experiment" ? 0 : answer.runs);
      return { total, rows: answer.items ?? [] };
    },
  });
  const loaded = Array.from({ length: list.total ?? 0 }, (_, at) => list.rowAt(at)).filter((row) => row !== undefined);
  const chosen = loaded.filter((row) => selected.has(keyOf(row)));
  const clear = () => setSelected(new Set());
  useKeys([{ keys: "Escape", what: "Clear the selection", group: "Table", run: clear }], chosen.length > 0);
  return (
    <Page
      title="Trash" count={list.total === undefined ? undefined : counted(list.total, "entry", "entries")}
      middle={<input
        className="input trash-filter" type="search" aria-label="Filter the trash" placeholder="Part of a name" value={state.q}
        onChange={(event) => set({ q: event.target.value })}
      />}
      actions={<Switch label="Kind" options={KINDS} value={state.kind} onChange={(kind) => {
        clear();
        set({ kind }, { push: true });
      }} />}
    >
      {list.error ? <ErrorCard what="The trash could not be loaded" error={list.error} onRetry={list.refetch} /> : (
        <Table
          label="Trash" main columns={COLUMNS} count={list.total ?? 0} rowAt={list.rowAt} keyOf={keyOf} onRange={list.onRange}
          selected={selected} onSelect={setSelected}
          empty={list.total === 0 && <Empty title={state.q ? "Nothing in the trash has such a name." : "The trash is empty. What is deleted stays here until `millstream gc` removes it for good."} />}
        />
      )}
      {chosen.length > 0 && (
        <div className="selection-bar" role="region" aria-label="Selected entries">
          <span role="status">{counted(chosen.length, "entry", "entries")} selected</span>
          <Button icon="restore" onClick={() => void restoreAll(chosen).then(clear)}>Restore</Button>
          <span className="grow" /><IconButton icon="close" label="Clear the selection" keys="Esc" onClick={clear} />
        </div>
      )}
    </Page>
  );
}

const COLUMNS: readonly Column<Discarded>[] = ([
  { key: "name", title: "Name", width: 340, frozen: true, className: "edge", cell: (row) => <Link to={addressOf(row)} tabIndex={-1}>{row.name}</Link> },
  { key: "kind", title: "Kind", width: 110, cell: (row) => (row.kind === "run" ? "Run" : "Experiment") },
  { key: "deleted", title: "Deleted", width: 120, cell: (row) => <Time at={row.deleted_time} /> },
  { key: "experiment", title: "Experiment", width: 280, cell: (row) => (row.kind === "run" ? <Link to={path`/exp/${row.experiment_id}`} tabIndex={-1}>{row.experiment_name}</Link> : null) },
  { key: "runs", title: "Runs", width: 90, number: true, cell: (row) => (row.kind === "run" ? null : count(row.runs ?? 0)) },
  { key: "id", title: "ID", width: 290, cell: (row) => <span className="mono">{row.id}</span> },
] satisfies Column<Discarded>[]).map((column) => ({
  ...column, cellMenu: (row: Discarded) => [{ label: "Restore", icon: "restore" as const, run: () => void restoreAll([row]) }],
}));

function keyOf(row: Discarded): string {
  return `${row.kind} ${row.id}`;
}

function addressOf(row: Discarded): string {
  return row.kind === "run" ? path`/run/${row.id}` : path`/exp/${row.id}`;
}

async function refreshTrash(): Promise<void> {
  await Promise.all([
    queryClient.invalidateQueries({ queryKey: [TRASH] }),
    queryClient.invalidateQueries({ queryKey: ["experiments overview"] }),
    refresh(GetExperiment, GetRun),
  ]);
}

async function restoreAll(rows: readonly Discarded[]): Promise<void> {
  const told = rows.length === 1 ? rows[0]?.name : counted(rows.length, "entry", "entries");
  try {
    // Experiments first: the runs that were deleted with one come back with it.
    for (const row of rows.filter(({ kind }) => kind !== "run")) await call(RestoreExperiment, { experiment_id: row.id });
    for (const row of rows.filter(({ kind }) => kind === "run")) await call(RestoreRun, { run_id: row.id });
    toast(`Restored ${told}`, { undo: () => removeAll(rows) });
  } catch (error) {
    toastError(error);
  } finally {
    await refreshTrash();
  }
}

async function removeAll(rows: readonly Discarded[]): Promise<void> {
  for (const row of rows) await (row.kind === "run" ? call(DeleteRun, { run_id: row.id }) : call(DeleteExperiment, { experiment_id: row.id }));
  await refreshTrash();
}
