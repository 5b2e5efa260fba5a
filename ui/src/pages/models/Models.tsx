import { useMemo, useState } from "react";
import { call } from "@/api/client";
import { useOperation } from "@/api/queries";
import { ListEndpoints, OverviewModels, type ModelSummary } from "@/api/schema";
import { useWindows } from "@/api/windows";
import { counted } from "@/base/format";
import { text, useUrlState } from "@/base/url";
import { Page } from "@/frame/Page";
import { path, useGo } from "@/frame/router";
import { DeleteModel, DescribeModel, ModelTagsDialog, NewModel, RenameModel, useLiveModels } from "@/pages/models/actions";
import { columnsOf } from "@/pages/models/columns";
import { Button } from "@/parts/Button";
import { FilterBox } from "@/parts/FilterBox";
import { MODEL_WORDS } from "@/parts/filter";
import { Empty, ErrorCard } from "@/parts/States";
import { Table } from "@/parts/Table";
import "@/pages/models/models.css";

const STATE = { q: text(), sort: text("-last_updated_timestamp") };
const ENDPOINTS = 1000;
const EXAMPLE = 'import millstream as mlflow\n\nmlflow.register_model("runs:/<run id>/model", "churn")';

/** All registered models. */
export default function Models() {
  const [state, set] = useUrlState(STATE);
  const go = useGo();
  const [creating, setCreating] = useState(false);
  const [edited, setEdited] = useState<{ row: ModelSummary; what: "rename" | "tags" | "describe" | "delete" } | null>(null);
  useLiveModels();
  const request = {
    ...(isCondition(state.q) ? { filter: state.q } : state.q ? { text: state.q } : {}),
    order_by: `${state.sort.replace(/^-/, "")} ${state.sort.startsWith("-") ? "DESC" : "ASC"}`,
  };
  const list = useWindows<ModelSummary>({
    key: [OverviewModels.path, request],
    load: async (offset, limit, signal) => {
      const answer = await call(OverviewModels, { ...request, offset, limit }, signal);
      return { total: answer.total, rows: answer.models ?? [] };
    },
  });
  const endpoints = useOperation(ListEndpoints, { max_results: ENDPOINTS }).data?.endpoints;
  const serving = useMemo(() => new Map((endpoints ?? []).map((one) => [one.model, one])), [endpoints]);
  const columns = useMemo(() => columnsOf(state.sort, (sort) => set({ sort }), serving, (row) => [
    { label: "Describe", icon: "note", run: () => setEdited({ row, what: "describe" }) },
    { label: "Tags", icon: "tag", run: () => setEdited({ row, what: "tags" }) },
    { label: "Rename", icon: "edit", run: () => setEdited({ row, what: "rename" }) },
    { label: "Delete", icon: "trash", tone: "bad", section: true, run: () => setEdited({ row, what: "delete" }) },
  ]), [state.sort, set, serving]);
  const problem = state.q && list.error ? list.error.message : null;
  const close = () => setEdited(null);
  const shown = edited && (Array.from({ length: list.total ?? 0 }, (_, at) => list.rowAt(at)).find((row) => row?.name === edited.row.name) ?? edited.row);
  return (
    <Page
      title="Models" count={list.total === undefined ? undefined : counted(list.total, "model")}
      middle={<FilterBox label="Filter models" value={state.q} vocabulary={MODEL_WORDS} problem={problem} placeholder="Part of a name, or tags.owner = 'growth'" onChange={(q, done) => set({ q }, { push: done })} />}
      actions={<Button icon="add" tone="main" onClick={() => setCreating(true)}>New model</Button>}
    >
      {list.error && !state.q ? <ErrorCard what="The models could not be loaded" error={list.error} onRetry={list.refetch} /> : (
        <Table
          label="Models" main columns={columns} count={list.total ?? 0} rowAt={list.rowAt} keyOf={(row) => row.name}
          onRange={list.onRange} onOpen={(row, event) => go(path`/models/${row.name}`, event)}
          empty={list.total === 0 && (state.q
            ? <Empty title="No model fits the filter." />
            : <Empty title="There are no registered models yet. One is made from the model of a run:" code={EXAMPLE} />)}
        />
      )}
      {shown && edited.what === "rename" && <RenameModel name={shown.name} onClose={close} />}
      {shown && edited.what === "describe" && <DescribeModel name={shown.name} text={shown.description ?? ""} onClose={close} />}
      {shown && edited.what === "tags" && <ModelTagsDialog name={shown.name} tags={shown.tags ?? []} onClose={close} />}
      {shown && edited.what === "delete" && <DeleteModel name={shown.name} versions={shown.versions} onClose={close} />}
      {creating && <NewModel onClose={() => setCreating(false)} onMade={(name) => go(path`/models/${name}`)} />}
    </Page>
  );
}

/** Whether a text is meant as a condition of the filter language, not as part of a name. */
function isCondition(given: string): boolean {
  return /[=<>]|\b(?:like|ilike|in|is|between|matches)\b/i.test(given);
}
