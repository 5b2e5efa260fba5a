import { Suspense, useState } from "react";
import { prefetch, useOperation } from "@/api/queries";
import { GetExperiment, GetRun, type Run as RunRecord } from "@/api/schema";
import { useKeys } from "@/base/keys";
import { useUrlState } from "@/base/url";
import { useArrangement } from "@/charts/arrangement";
import { Page } from "@/frame/Page";
import { path, useGo } from "@/frame/router";
import { deleteRun, NoteDialog, RenameDialog, restoreRun } from "@/pages/run/actions";
import { Charts } from "@/pages/run/Charts";
import { DiffDialog } from "@/pages/run/DiffDialog";
import { useLiveRun } from "@/pages/run/live";
import { Overview } from "@/pages/run/Overview";
import { STATE, type Tab } from "@/pages/run/state";
import { Button } from "@/parts/Button";
import { MenuButton } from "@/parts/Menu";
import { Boundary, Loaded, Loading } from "@/parts/States";
import { Tabs } from "@/parts/Tabs";
import { Chip, RunStatus } from "@/parts/Values";
import { lazily } from "@/parts/lazily";
import "@/pages/run/run.css";

const Files = lazily(() => import("@/pages/run/Files"));
const Logs = lazily(() => import("@/pages/run/Logs"));
const Models = lazily(() => import("@/pages/run/Models"));
const RegisterDialog = lazily(() => import("@/pages/run/RegisterDialog"));

const TABS: readonly { key: Tab; label: string }[] = [
  { key: "overview", label: "Overview" }, { key: "charts", label: "Charts" }, { key: "system", label: "System" },
  { key: "artifacts", label: "Artifacts" }, { key: "logs", label: "Logs" }, { key: "model", label: "Model" },
];

export function preload({ id }: { id: string }): void {
  prefetch(GetRun, { run_id: id });
}

/** The page of a run. */
export default function Run({ id }: { id: string }) {
  const run = useOperation(GetRun, { run_id: id });
  const found = run.data?.run;
  useLiveRun(id, found?.info.experiment_id);
  if (found) return <Shown run={found} />;
  return <Page title="Run" padded><Loaded query={run} what="The run">{() => null}</Loaded></Page>;
}

type Open = "rename" | "note" | "diff" | "register" | null;

function Shown({ run }: { run: RunRecord }) {
  const { info } = run;
  const [state, set] = useUrlState(STATE);
  const [open, setOpen] = useState<Open>(null);
  const go = useGo();
  const experiment = useOperation(GetExperiment, { experiment_id: info.experiment_id }, { staleTime: 60_000 }).data?.experiment.name;
  const diff = useOperation(GetRun, state.diff ? { run_id: state.diff } : null);
  const other = state.diff ? diff.data?.run : undefined;
  const arranged = useArrangement(info.experiment_id);
  const deleted = info.lifecycle_stage === "deleted";
  const close = () => setOpen(null);
  useKeys([
    { keys: "r", what: "Compare with another run", group: "Run", run: () => setOpen("diff") },
    { keys: "v", what: "Next part of the page", group: "Run", run: () => set({ tab: TABS[(TABS.findIndex(({ key }) => key === state.tab) + 1) % TABS.length]?.key }, { push: true }) },
  ]);
  const charts = { run, other, state, set, arranged };
  return (
    <Page
      title={info.run_name ?? info.run_id} way={[["/", "Experiments"], [path`/exp/${info.experiment_id}`, experiment ?? info.experiment_id]]} count={<RunStatus status={info.status} />}
      middle={state.diff && <Chip icon="compare" tone={diff.error ? "bad" : undefined} onClick={() => go(path`/run/${state.diff}`)} onRemove={() => set({ diff: "" }, { push: true })} removeLabel="End the comparison">
        {diff.error ? "The other run is not there" : `with ${other?.info.run_name ?? state.diff}`}
      </Chip>}
      actions={<>
        <Button icon="compare" keys="r" onClick={() => setOpen("diff")}>Diff with…</Button>
        <Button icon="model" onClick={() => setOpen("register")}>Register model</Button>
        {deleted && <Button icon="restore" onClick={() => restoreRun(run)}>Restore</Button>}
        <MenuButton label="More actions" items={[
          { label: "Rename", icon: "edit", run: () => setOpen("rename") },
          { label: "Edit the note", icon: "note", run: () => setOpen("note") },
          { label: "Copy the run's id", icon: "copy", run: () => void navigator.clipboard.writeText(info.run_id) },
          ...(state.diff ? [{ label: "Open both in the comparison", icon: "compare" as const, run: () => go(`/compare?sel=${info.run_id},${state.diff}`) }] : []),
          deleted ? { label: "Restore", icon: "restore", section: true, run: () => restoreRun(run) } : { label: "Delete", icon: "trash", tone: "bad", section: true, run: () => deleteRun(run) },
        ]} />
      </>}
    >
      <div className="run-page">
        <Tabs label="Parts of the run" tabs={TABS} value={state.tab} onChange={(tab) => set({ tab }, { push: true })}>
          <Boundary what="This part could not be shown" key={state.tab}>
            <Suspense fallback={<Loading />}>
              {state.tab === "overview" && <Overview {...charts} experiment={experiment} onAll={() => set({ tab: "charts" }, { push: true })} />}
              {state.tab === "charts" && <Charts {...charts} />}
              {state.tab === "system" && <Charts {...charts} system />}
              {state.tab === "artifacts" && <Files run={run} other={other} path={state.path} look={state.look} onChange={(change, push) => set(change, { push })} />}
              {state.tab === "logs" && <Logs run={run} path={state.path} onChange={(path) => set({ path }, { push: true })} />}
              {state.tab === "model" && <Models run={run} chosen={state.model} onChoose={(model) => set({ model }, { push: true })} />}
            </Suspense>
          </Boundary>
        </Tabs>
      </div>
      {open === "rename" && <RenameDialog run={run} onClose={close} />}
      {open === "note" && <NoteDialog run={run} onClose={close} />}
      {open === "diff" && <DiffDialog run={run} onClose={close} onChoose={(id) => {
        close();
        set({ diff: id }, { push: true });
      }} />}
      {open === "register" && <Suspense fallback={null}><RegisterDialog run={run} onClose={close} /></Suspense>}
    </Page>
  );
}
