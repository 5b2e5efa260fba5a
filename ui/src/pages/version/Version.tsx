import { Suspense, useState, type ReactNode } from "react";
import { prefetch, useOperation } from "@/api/queries";
import { GetModelVersion, GetRegisteredModel, GetRun, ListEndpoints, SearchTransitionRequests, type ModelVersion } from "@/api/schema";
import ModelDescription from "@/artifacts/model/ModelDescription";
import { placeOfVersion } from "@/artifacts/place";
import { choice, flag, text, useUrlState } from "@/base/url";
import { Page } from "@/frame/Page";
import { Link, path, useGo } from "@/frame/router";
import { Activity } from "@/pages/model/Activity";
import { Comments } from "@/pages/model/Comments";
import { useVersions } from "@/pages/model/data";
import { Requests } from "@/pages/model/Requests";
import { AliasDialog, removeAlias, StageChip, TransitionDialog } from "@/pages/model/stages";
import { useLiveModels } from "@/pages/models/actions";
import { DeleteVersion, DescribeVersion, VersionTags } from "@/pages/version/actions";
import { Difference, Metrics, Params } from "@/pages/version/Difference";
import { Lineage } from "@/pages/version/Lineage";
import { useVersionModel } from "@/pages/version/model";
import { Snippets } from "@/pages/version/Snippets";
import { Button } from "@/parts/Button";
import { Select } from "@/parts/Dialog";
import { MenuButton } from "@/parts/Menu";
import { Markdown } from "@/parts/Sanitised";
import { Boundary, Empty, Loaded, Loading } from "@/parts/States";
import { Tabs } from "@/parts/Tabs";
import { toastError } from "@/parts/Toast";
import { Chip, Facts, Mark, Time } from "@/parts/Values";
import { lazily } from "@/parts/lazily";
import "@/pages/models/models.css";
import "@/pages/version/version.css";

const Artifacts = lazily(() => import("@/artifacts/Artifacts").then((module) => ({ default: module.Artifacts })));

const STATE = { tab: choice(["overview", "model", "files", "compare", "requests", "comments", "activity"]), path: text(), look: text(), other: text(), all: flag() };
const FRESH_MS = 30_000;

export function preload({ name, version }: { name: string; version: string }): void {
  prefetch(GetModelVersion, { name, version });
}

/** One version of a registered model. */
export default function Version({ name, version: number }: { name: string; version: string }) {
  const query = useOperation(GetModelVersion, { name, version: number });
  useLiveModels();
  const version = query.data?.model_version;
  if (!version) {
    return <Page title={`Version ${number}`} way={[["/models", "Models"], [path`/models/${name}`, name]]} padded><Loaded query={query} what="The version">{() => null}</Loaded></Page>;
  }
  return <Shown version={version} />;
}

function Shown({ version }: { version: ModelVersion }) {
  const { name, version: number } = version;
  const go = useGo();
  const [state, set] = useUrlState(STATE);
  const [open, setOpen] = useState<"move" | "alias" | "describe" | "delete" | null>(null);
  const versions = useVersions(name).data?.model_versions ?? [version];
  const aliases = useOperation(GetRegisteredModel, { name }).data?.registered_model.aliases ?? [];
  const requests = useOperation(SearchTransitionRequests, { name, version: number, state: "OPEN" }).data?.requests ?? [];
  const ran = useOperation(GetRun, version.run_id ? { run_id: version.run_id } : null, { staleTime: FRESH_MS, retry: false });
  const run = ran.data?.run;
  const endpoints = useOperation(ListEndpoints, { model: name }).data?.endpoints ?? [];
  const model = useVersionModel(name, number);
  const champion = versions.find((one) => one.version === state.other)
    ?? versions.find((one) => one.version !== number && (one.aliases ?? []).includes("champion"))
    ?? versions.find((one) => one.version !== number && one.current_stage === "Production")
    ?? versions.find((one) => Number(one.version) < Number(number)) ?? versions.find((one) => one.version !== number);
  const otherRan = useOperation(GetRun, champion?.run_id ? { run_id: champion.run_id } : null, { staleTime: FRESH_MS, retry: false });
  const otherModel = useVersionModel(name, champion && state.tab === "compare" ? champion.version : null);
  const own = { title: `Version ${number}`, run, model: model.data };
  const other = champion ? { title: `Version ${champion.version}${championWord(champion)}`, run: otherRan.data?.run, model: otherModel.data } : null;
  const choose = champion && <Select label="Compared with" quiet value={champion.version} onChange={(chosen) => set({ other: chosen }, { push: true })} options={versions.filter((one) => one.version !== number).map((one) => [one.version, `Version ${one.version}${championWord(one)}`] as const)} />;
  // What is not read yet must not look like what is not there.
  const reading = ran.isLoading || otherRan.isLoading;
  const comparing = reading || model.isLoading || otherModel.isLoading;
  const uri = `models:/${name}/${number}`;
  return (
    <Page
      title={`Version ${number}`} way={[["/models", "Models"], [path`/models/${name}`, name]]}
      middle={<span className="line"><StageChip stage={version.current_stage} />{(version.aliases ?? []).map((alias) => (
        <Chip key={alias} icon="alias" removeLabel={`Remove the alias ${alias}`} onRemove={() => void removeAlias({ name, version: number }, alias).catch(toastError)}>{alias}</Chip>
      ))}{version.status && version.status !== "READY" && <Mark tone={version.status.startsWith("FAILED") ? "bad" : "running"}>{version.status.toLowerCase().replaceAll("_", " ")}</Mark>}</span>}
      actions={<>
        <Button icon="alias" onClick={() => setOpen("alias")}>Alias</Button>
        <Button icon="arrowUp" onClick={() => setOpen("move")}>Move</Button>
        <Button icon="serving" onClick={(event) => go(`/serving?on=${encodeURIComponent(name)}`, event)}>Serve</Button>
        <MenuButton label="More" items={[
          { label: "Describe", icon: "note", run: () => setOpen("describe") },
          { label: "Copy its address", icon: "copy", run: () => void navigator.clipboard.writeText(uri) },
          { label: "Delete", icon: "trash", tone: "bad", section: true, run: () => setOpen("delete") },
        ]} />
      </>}
    >
      <Tabs
        label="Version" value={state.tab} onChange={(tab) => set({ tab }, { push: true })}
        tabs={[
          { key: "overview", label: "Overview" }, { key: "model", label: "Model" }, { key: "files", label: "Files" }, { key: "compare", label: "Compare" },
          { key: "requests", label: requests.length ? `Requests (${requests.length})` : "Requests" }, { key: "comments", label: "Comments" }, { key: "activity", label: "Activity" },
        ]}
      >
        {state.tab === "overview" && (
          <div className="version">
            <div className="version-facts scroll" tabIndex={0} role="region" aria-label="Facts">
              <VersionFacts version={version} flavors={model.data?.flavors ?? []} onDescribe={() => setOpen("describe")} />
            </div>
            <div className="version-main scroll" tabIndex={0} role="region" aria-label="Lineage, metrics and parameters">
              <Boundary what="The lineage could not be shown"><Lineage version={version} run={run} endpoints={endpoints} /></Boundary>
              {choose && <div className="line"><span className="soft">Compared with</span>{choose}</div>}
              {reading ? <Loading /> : <div className="version-pair"><Metrics own={own} other={other} /><Params own={own} other={other} /></div>}
              <Snippets version={version} endpoints={endpoints} model={model.data} />
            </div>
          </div>
        )}
        {state.tab === "model" && (
          <div className="version-scroll scroll" tabIndex={0} role="region" aria-label="Model">
            {model.data?.described ? <ModelDescription place={placeOfVersion(name, number)} folder="" uri={uri} />
              : <Loaded query={model} what="The model">{() => <Empty title="This version has no file MLmodel: it is loaded by its own library." />}</Loaded>}
          </div>
        )}
        {state.tab === "files" && (
          <Suspense fallback={<Loading />}>
            <Artifacts places={[placeOfVersion(name, number)]} path={state.path} look={state.look} onChange={(change, push) => set(change, { push })} model={{ uri: () => uri }} empty={<Empty title="This version has no files here." />} />
          </Suspense>
        )}
        {state.tab === "compare" && (
          <div className="version-scroll stack scroll" tabIndex={0} role="region" aria-label="Differences">
            {other ? <><div className="line"><span className="soft">Compared with</span>{choose}<Link to={path`/models/${name}/${champion?.version ?? ""}`}>Open it</Link></div>{comparing ? <Loading /> : <Difference own={own} other={other} only={!state.all} onOnly={(only) => set({ all: !only })} />}</> : <Empty title="This is the only version of the model." />}
          </div>
        )}
        {state.tab === "requests" && <Scrolled label="Requests"><Requests name={name} version={number} /></Scrolled>}
        {state.tab === "comments" && <Scrolled label="Comments"><Comments name={name} version={number} /></Scrolled>}
        {state.tab === "activity" && <Scrolled label="Activity"><Activity name={name} version={number} /></Scrolled>}
      </Tabs>
      {open === "move" && <TransitionDialog version={version} onClose={() => setOpen(null)} />}
      {open === "alias" && <AliasDialog name={name} aliases={aliases} versions={versions} version={number} onClose={() => setOpen(null)} />}
      {open === "describe" && <DescribeVersion version={version} onClose={() => setOpen(null)} />}
      {open === "delete" && <DeleteVersion version={version} onClose={() => setOpen(null)} onDone={() => go(path`/models/${name}`)} />}
    </Page>
  );
}

export function Scrolled({ label, children }: { label: string; children: ReactNode }) {
  return <div className="scroll pane-scroll" tabIndex={0} role="region" aria-label={`${label}: content`}>{children}</div>;
}

/** What makes a version worth comparing with, behind its number. */
function championWord(version: ModelVersion): string {
  const word = (version.aliases ?? [])[0] ?? (version.current_stage && version.current_stage !== "None" ? version.current_stage : "");
  return word ? `, ${word}` : "";
}

function VersionFacts({ version, flavors, onDescribe }: { version: ModelVersion; flavors: readonly string[]; onDescribe: () => void }) {
  return (
    <>
      <Facts rows={[
        ["Stage", version.current_stage ?? "None"],
        ["Registered", <Time key="time" at={version.creation_timestamp} />],
        ["By", version.user_id],
        ["Last change", <Time key="change" at={version.last_updated_timestamp} />],
        ["Source", version.source && <code key="source">{version.source}</code>],
        ["Run", version.run_id && <Link key="run" to={path`/run/${version.run_id}`}><code>{version.run_id}</code></Link>],
        ["Logged model", version.model_id && <code key="model">{version.model_id}</code>],
        ["Flavors", flavors.join(", ")],
        ["State", version.status_message],
      ]} />
      <section className="stack"><h2>Tags</h2><VersionTags version={version} /></section>
      <section className="stack">
        <div className="line"><h2 className="grow">Description</h2><Button className="small" icon="edit" onClick={onDescribe}>{version.description ? "Change" : "Write"}</Button></div>
        {version.description ? <Markdown text={version.description} /> : <p className="soft">None yet.</p>}
      </section>
    </>
  );
}
