import { useMemo, useState } from "react";
import { prefetch, useOperation } from "@/api/queries";
import { GetRegisteredModel, OverviewModels, SearchTransitionRequests, type ModelVersion, type RegisteredModel } from "@/api/schema";
import { counted } from "@/base/format";
import { choice, text, useUrlState } from "@/base/url";
import { Page } from "@/frame/Page";
import { path, useGo } from "@/frame/router";
import { Activity } from "@/pages/model/Activity";
import { columnsOf } from "@/pages/model/columns";
import { Comments } from "@/pages/model/Comments";
import { STAGES, useRunMetrics, useVersions, type Stage } from "@/pages/model/data";
import { KeyChart } from "@/pages/model/KeyChart";
import { ModelWebhooks } from "@/pages/model/ModelWebhooks";
import { Requests } from "@/pages/model/Requests";
import { Rules } from "@/pages/model/Rules";
import { AliasDialog, removeAlias, RollBackDialog, rollBackItems, TransitionDialog } from "@/pages/model/stages";
import { ordered } from "@/pages/model/versions";
import { DeleteModel, DescribeModel, ModelTags, RenameModel, useLiveModels } from "@/pages/models/actions";
import { DeleteVersion } from "@/pages/version/actions";
import { Button, IconButton } from "@/parts/Button";
import { MenuButton, type MenuItem } from "@/parts/Menu";
import { quotedValue } from "@/parts/filter";
import { Markdown } from "@/parts/Sanitised";
import { Boundary, Empty, ErrorCard, Loaded } from "@/parts/States";
import { Table } from "@/parts/Table";
import { Tabs } from "@/parts/Tabs";
import { toastError } from "@/parts/Toast";
import "@/pages/models/models.css";

const STATE = { tab: choice(["versions", "requests", "rules", "comments", "activity", "webhooks"]), sort: text("-version"), metric: text() };
const WAY = [["/models", "Models"]] as const;
const IN_MENU = 12;

type Open =
  | { what: "alias"; alias?: string; version?: string }
  | { what: "move"; version: ModelVersion; to: Stage }
  | { what: "roll"; of: { stage: string } | { alias: string }; holders: readonly string[] }
  | { what: "deleteVersion"; version: ModelVersion }
  | { what: "rename" | "describe" | "delete" };

export function preload({ name }: { name: string }): void {
  prefetch(GetRegisteredModel, { name });
}

/** One registered model and its versions. */
export default function Model({ name }: { name: string }) {
  const query = useOperation(GetRegisteredModel, { name });
  useLiveModels();
  const model = query.data?.registered_model;
  if (!model) return <Page title={name} way={WAY} padded><Loaded query={query} what="The model">{() => null}</Loaded></Page>;
  return <Shown model={model} />;
}

function Shown({ model }: { model: RegisteredModel }) {
  const { name, aliases = [] } = model;
  const go = useGo();
  const [state, set] = useUrlState(STATE);
  const [open, setOpen] = useState<Open | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const list = useVersions(name);
  const versions = useMemo(() => list.data?.model_versions ?? [], [list.data]);
  const metrics = useRunMetrics(versions);
  const counts = useOperation(OverviewModels, { filter: `name = ${quotedValue(name)}`, limit: 1 }).data?.models?.[0]?.metric?.metric;
  const requests = useOperation(SearchTransitionRequests, { name, state: "OPEN" }).data?.requests ?? [];
  const metric = state.metric && metrics.keys.includes(state.metric) ? state.metric : counts && metrics.keys.includes(counts) ? counts : metrics.keys[0];
  const rows = useMemo(() => ordered(versions, state.sort, metrics.valueOf), [versions, state.sort, metrics]);
  const columns = useMemo(() => columnsOf(versions, metrics, metric ?? "", state.sort, (sort) => set({ sort }), (version): MenuItem[] => [
    ...STAGES.filter((stage) => stage !== (version.current_stage ?? "None")).map((stage): MenuItem => ({ label: `Move to ${stage}`, icon: "arrowUp", run: () => setOpen({ what: "move", version, to: stage }) })),
    ...aliases.filter((one) => one.version !== version.version).map((one, at): MenuItem => ({ label: `Move ${one.alias} here`, icon: "alias", section: at === 0 ? true : undefined, run: () => setOpen({ what: "alias", alias: one.alias, version: version.version }) })),
    { label: "Add an alias", icon: "add", run: () => setOpen({ what: "alias", version: version.version }) },
    { label: "Delete", icon: "trash", tone: "bad", section: true, run: () => setOpen({ what: "deleteVersion", version }) },
  ]), [versions, metrics, metric, state.sort, set, aliases]);
  const close = () => setOpen(null);
  const chosen = rows.filter((row) => selected.has(row.version));
  return (
    <Page
      title={name} way={WAY} count={list.data && `${counted(versions.length, "version")}${list.data.next_page_token ? " or more" : ""}`}
      actions={<>
        <Button icon="alias" disabled={versions.length === 0} onClick={() => setOpen({ what: "alias" })}>Alias</Button>
        <MenuButton label="Roll back" icon="restore" items={() => rollBackItems(versions, aliases, (of, holders) => setOpen({ what: "roll", of, holders }))}>Roll back</MenuButton>
        <Button icon="serving" onClick={(event) => go(`/serving?on=${encodeURIComponent(name)}`, event)}>Serve</Button>
        <MenuButton label="More" items={[
          { label: "Describe", icon: "note", run: () => setOpen({ what: "describe" }) },
          { label: "Rename", icon: "edit", run: () => setOpen({ what: "rename" }) },
          { label: "Delete", icon: "trash", tone: "bad", section: true, run: () => setOpen({ what: "delete" }) },
        ]} />
      </>}
    >
      <Tabs
        label="Model" value={state.tab} onChange={(tab) => set({ tab }, { push: true })}
        tabs={[
          { key: "versions", label: "Versions" }, { key: "requests", label: requests.length ? `Requests (${requests.length})` : "Requests" }, { key: "rules", label: "Rules" },
          { key: "comments", label: "Comments" }, { key: "activity", label: "Activity" }, { key: "webhooks", label: "Webhooks" },
        ]}
      >
        {state.tab === "versions" && (
          <div className="model-versions">
            <div className="model-head scroll" tabIndex={0} role="region" aria-label="About the model">
              <About model={model} versions={versions} onDescribe={() => setOpen({ what: "describe" })} onMove={(alias, version) => setOpen({ what: "alias", alias, version })} />
              {metric && <Boundary what="The chart could not be shown"><KeyChart versions={versions} metrics={metrics} metric={metric} onMetric={(key) => set({ metric: key }, { push: true })} /></Boundary>}
            </div>
            {list.error ? <ErrorCard what="The versions could not be loaded" error={list.error} onRetry={() => void list.refetch()} /> : (
              <Table
                label="Versions" main columns={columns} count={rows.length} rowAt={(index) => rows[index]} keyOf={(row) => row.version} selected={selected} onSelect={setSelected}
                onOpen={(row, event) => go(path`/models/${name}/${row.version}`, event)}
                empty={list.data && rows.length === 0 && <Empty title="The model has no versions yet. The model of a run becomes one:" code={`import millstream as mlflow\n\nmlflow.register_model("runs:/<run id>/model", "${name}")`} />}
              />
            )}
            {chosen.length > 0 && <Selected rows={chosen} onClear={() => setSelected(new Set())} onDelete={(version) => setOpen({ what: "deleteVersion", version })} />}
          </div>
        )}
        {state.tab !== "versions" && (
          <div className="scroll pane-scroll" tabIndex={0} role="region" aria-label="Content">
            {state.tab === "requests" && <Requests name={name} />}
            {state.tab === "rules" && <Rules name={name} versions={versions} metrics={metrics.keys} />}
            {state.tab === "comments" && <Comments name={name} />}
            {state.tab === "activity" && <Activity name={name} />}
            {state.tab === "webhooks" && <ModelWebhooks name={name} />}
          </div>
        )}
      </Tabs>
      {open?.what === "alias" && <AliasDialog name={name} aliases={aliases} versions={versions} alias={open.alias} version={open.version} onClose={close} />}
      {open?.what === "move" && <TransitionDialog version={open.version} to={open.to} onClose={close} />}
      {open?.what === "roll" && <RollBackDialog name={name} of={open.of} holders={open.holders} onClose={close} />}
      {open?.what === "deleteVersion" && <DeleteVersion version={open.version} onClose={close} onDone={() => setSelected(new Set())} />}
      {open?.what === "rename" && <RenameModel name={name} onClose={close} onDone={(to) => go(path`/models/${to}`)} />}
      {open?.what === "describe" && <DescribeModel name={name} text={model.description ?? ""} onClose={close} />}
      {open?.what === "delete" && <DeleteModel name={name} versions={versions.length} onClose={close} onDone={() => go("/models")} />}
    </Page>
  );
}

interface AboutProps {
  model: RegisteredModel;
  versions: readonly ModelVersion[];
  onDescribe: () => void;
  onMove: (alias: string, version: string) => void;
}

/** Aliases, each with a menu that moves it; tags; what the model is. */
function About({ model: { name, description, tags = [], aliases = [] }, versions, onDescribe, onMove }: AboutProps) {
  return (
    <div className="stack">
      {aliases.length > 0 && (
        <div className="chips" role="group" aria-label="Aliases">
          {aliases.map(({ alias, version }) => (
            <MenuButton key={alias} label={`${alias}, version ${version}: move`} icon="alias" align="start" className="small" items={[
              ...versions.filter((one) => one.version !== version).slice(0, IN_MENU).map((one): MenuItem => ({ label: `Move to version ${one.version}`, icon: "arrowUp", run: () => onMove(alias, one.version) })),
              { label: "Remove", icon: "trash", tone: "bad", section: true, run: () => void removeAlias({ name, version }, alias).catch(toastError) },
            ]}>{alias} <span className="soft">v{version}</span></MenuButton>
          ))}
        </div>
      )}
      <ModelTags name={name} tags={tags} />
      <div className="line model-about">
        <div className="grow">{description ? <Markdown text={description} /> : <p className="soft">No description yet.</p>}</div>
        <IconButton icon="edit" label="Describe the model" onClick={onDescribe} />
      </div>
    </div>
  );
}

/** What can be done with the selected versions, at the foot of the table. */
function Selected({ rows, onClear, onDelete }: { rows: readonly ModelVersion[]; onClear: () => void; onDelete: (version: ModelVersion) => void }) {
  const go = useGo();
  const [first, second] = rows;
  return (
    <div className="selection-bar" role="region" aria-label="Selected versions">
      <span>{counted(rows.length, "version")} selected</span>
      {first && second && rows.length === 2 && <Button icon="compare" onClick={(event) => go(`${path`/models/${first.name}/${first.version}`}?tab=compare&other=${second.version}`, event)}>Compare</Button>}
      {first && rows.length === 1 && <Button icon="trash" tone="bad" onClick={() => onDelete(first)}>Delete</Button>}
      <span className="grow" /><IconButton icon="close" label="Clear the selection" keys="Esc" onClick={onClear} />
    </div>
  );
}
