import { Suspense, useEffect, useMemo, useRef, useState } from "react";
import { call } from "@/api/client";
import { useEvents } from "@/api/events";
import { OverviewExperiments } from "@/api/schema";
import { useWindows } from "@/api/windows";
import { counted } from "@/base/format";
import { choice, text, useUrlState } from "@/base/url";
import { Page } from "@/frame/Page";
import { path, useGo } from "@/frame/router";
import { deleteExperiments, ExperimentActions, ExperimentTags, NewExperiment, OVERVIEW, refreshExperiments, RenameExperiment, restoreExperiments } from "@/pages/experiments/actions";
import { columnsOf, type ExperimentRow } from "@/pages/experiments/columns";
import { Button } from "@/parts/Button";
import { FilterBox } from "@/parts/FilterBox";
import { EXPERIMENT_WORDS } from "@/parts/filter";
import { Empty, ErrorCard } from "@/parts/States";
import { Table } from "@/parts/Table";
import { Switch } from "@/parts/Tabs";

const STATE = { q: text(), sort: text("-last_activity"), stage: choice(["active", "deleted"]) };
// Runs of a sweep begin and end in bursts; the list is read once after each.
const SETTLED_MS = 2000;
const EXAMPLE = 'import millstream as mlflow\n\nmlflow.set_experiment("first")\nwith mlflow.start_run():\n    mlflow.log_metric("loss", 0.1)';

export default function Experiments() {
  const [state, set] = useUrlState(STATE);
  const go = useGo();
  const [creating, setCreating] = useState(false);
  const [edited, setEdited] = useState<{ row: ExperimentRow; what: "rename" | "tags" } | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const down = state.sort.startsWith("-");
  const request = {
    ...(isCondition(state.q) ? { filter: state.q } : state.q ? { text: state.q } : {}),
    view_type: state.stage === "deleted" ? "DELETED_ONLY" : "ACTIVE_ONLY",
    order_by: `${state.sort.replace(/^-/, "")} ${down ? "DESC" : "ASC"}`,
  };
  const list = useWindows<ExperimentRow>({
    key: [OVERVIEW, request],
    load: async (offset, limit, signal) => {
      const answer = await call(OverviewExperiments, { ...request, offset, limit }, signal);
      return { total: answer.total, rows: answer.experiments ?? [] };
    },
  });
  const stale = useRef(0);
  useEvents(list.total === undefined ? null : {}, () => {
    stale.current ||= window.setTimeout(() => {
      stale.current = 0;
      void refreshExperiments();
    }, SETTLED_MS);
  });
  useEffect(() => () => clearTimeout(stale.current), []);
  const columns = useMemo(() => columnsOf(state.sort, (sort) => set({ sort }), (row) => (state.stage === "deleted" ? [
    { label: "Restore", icon: "restore", run: () => void restoreExperiments([row]) },
  ] : [
    { label: "Rename", icon: "edit", run: () => setEdited({ row, what: "rename" }) },
    { label: "Tags", icon: "tag", run: () => setEdited({ row, what: "tags" }) },
    { label: "Delete", icon: "trash", tone: "bad", section: true, run: () => void deleteExperiments([row]) },
  ])), [state.sort, state.stage, set]);
  const problem = state.q && list.error ? list.error.message : null;
  const loaded = Array.from({ length: list.total ?? 0 }, (_, at) => list.rowAt(at)).filter((row) => row !== undefined);
  const chosen = loaded.filter((row) => selected.has(row.experiment_id));
  const find = (row: ExperimentRow) => loaded.find((other) => other.experiment_id === row.experiment_id) ?? row;
  return (
    <Page
      title="Experiments" count={list.total === undefined ? undefined : counted(list.total, "experiment")}
      middle={<FilterBox label="Filter experiments" value={state.q} vocabulary={EXPERIMENT_WORDS} problem={problem} placeholder="Part of a name, or tags.team = 'core'" onChange={(q, done) => set({ q }, { push: done })} />}
      actions={<>
        <Switch label="Stage" options={[["active", "Active"], ["deleted", "Deleted"]]} value={state.stage} onChange={(stage) => {
          setSelected(new Set());
          set({ stage }, { push: true });
        }} />
        <Button icon="add" tone="main" onClick={() => setCreating(true)}>New experiment</Button>
      </>}
    >
      {list.error && !state.q ? <ErrorCard what="The experiments could not be loaded" error={list.error} onRetry={list.refetch} /> : (
        <Table
          label="Experiments" main columns={columns} count={list.total ?? 0} rowAt={list.rowAt} keyOf={(row) => row.experiment_id}
          onRange={list.onRange} onOpen={(row, event) => go(path`/exp/${row.experiment_id}`, event)} selected={selected} onSelect={setSelected}
          empty={list.total === 0 && (state.q || state.stage === "deleted"
            ? <Empty title={state.stage === "deleted" ? "No experiment is in the trash." : "No experiment fits the filter."} />
            : <Empty title="There are no experiments yet. One is made by the first run of a program:" code={EXAMPLE} />)}
        />
      )}
      {chosen.length > 0 && <ExperimentActions rows={chosen} deleted={state.stage === "deleted"} onClear={() => setSelected(new Set())} />}
      <Suspense fallback={null}>
        {edited?.what === "rename" && <RenameExperiment id={edited.row.experiment_id} name={edited.row.name} onClose={() => setEdited(null)} />}
        {edited?.what === "tags" && <ExperimentTags row={find(edited.row)} onClose={() => setEdited(null)} />}
        {creating && <NewExperiment onClose={() => setCreating(false)} onMade={(id) => go(path`/exp/${id}`)} />}
      </Suspense>
    </Page>
  );
}

/** Whether a text is meant as a condition of the filter language, not as part of a name. */
function isCondition(given: string): boolean {
  return /[=<>]|\b(?:like|ilike|in|is|between|matches)\b/i.test(given);
}
