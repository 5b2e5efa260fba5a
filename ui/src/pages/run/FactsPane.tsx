import { Fragment, Suspense, useState } from "react";
import { useOperation } from "@/api/queries";
import { GetRun, SearchModelVersions, type Run } from "@/api/schema";
import { Link, path } from "@/frame/router";
import { deleteTag, NoteDialog, setTag } from "@/pages/run/actions";
import { Datasets } from "@/pages/run/Datasets";
import { LoggedModels } from "@/pages/run/LoggedModels";
import { Params } from "@/pages/run/Params";
import { isProject, MADE_BY, RERUN_OF } from "@/pages/run/project";
import { NOTE, PARENT, progressOf, tagOf, tookOf } from "@/pages/run/state";
import { Button, CopyButton } from "@/parts/Button";
import { quotedValue } from "@/parts/filter";
import { Markdown } from "@/parts/Sanitised";
import { TagEditor } from "@/parts/TagEditor";
import { Chip, Duration, Facts, Progress, RunStatus, Since, Time } from "@/parts/Values";
import { lazily } from "@/parts/lazily";

const Family = lazily(() => import("@/pages/run/Family"));
const Project = lazily(() => import("@/pages/run/Project"));

const COMMIT = "mlflow.source.git.commit";
const SOURCE = "mlflow.source.name";

interface Props {
  run: Run;
  /** The run it is compared with. */
  other: Run | undefined;
  experiment: string | undefined;
}

/** What is known of a run, at the left of its page. */
export function FactsPane({ run, other, experiment }: Props) {
  const { info } = run;
  const [editing, setEditing] = useState(false);
  const note = tagOf(run, NOTE);
  const project = isProject(run);
  const share = progressOf(run);
  return (
    <div className={other ? "run-facts wide scroll" : "run-facts scroll"} tabIndex={0} role="region" aria-label="Facts">
      <Facts rows={[
        ["Status", <Fragment key="status"><RunStatus status={info.status} />{info.lifecycle_stage === "deleted" && <> <Chip tone="bad">in the trash</Chip></>}</Fragment>],
        ["Started", <Time key="started" at={info.start_time} />],
        ["Took", <Took key="took" run={run} />],
        share !== null && ["Progress", <Progress key="progress" share={share} />],
        ["User", info.user_id],
        ["Experiment", <Link key="experiment" to={path`/exp/${info.experiment_id}`}>{experiment ?? info.experiment_id}</Link>],
        tagOf(run, PARENT) !== undefined && ["Parent", <Parent key="parent" id={tagOf(run, PARENT) ?? ""} />],
        tagOf(run, MADE_BY) !== undefined && ["Made by", <Parent key="made" id={tagOf(run, MADE_BY) ?? ""} />],
        !project && tagOf(run, SOURCE) !== undefined && ["Source", <Source key="source" run={run} />],
        !project && tagOf(run, COMMIT) !== undefined && ["Git", <Git key="git" run={run} />],
        ["Run ID", <span key="id" className="run-id"><code className="cut" data-tip={info.run_id}>{info.run_id}</code><CopyButton text={info.run_id} label="Copy the run's id" /></span>],
      ]} />
      <Suspense fallback={null}><Family run={run} /></Suspense>
      {(project || tagOf(run, RERUN_OF) !== undefined) && <Suspense fallback={null}><Project run={run} /></Suspense>}
      <Registered run={run} />
      <Params run={run} other={other} />
      <section className="stack"><h2>Tags</h2>
        <TagEditor tags={run.data?.tags ?? []} onSet={(key, value) => setTag(info.run_id, key, value)} onDelete={(key) => deleteTag(info.run_id, key)} />
      </section>
      <LoggedModels run={run} />
      <Datasets run={run} />
      <section className="stack">
        <div className="line"><h2 className="grow">Note</h2><Button className="small" icon="edit" onClick={() => setEditing(true)}>{note ? "Edit note" : "Add note"}</Button></div>
        {note && <Markdown text={note} />}
      </section>
      {editing && <NoteDialog run={run} onClose={() => setEditing(false)} />}
    </div>
  );
}

/** How long the run took; while it runs, as it goes on. */
function Took({ run }: { run: Run }) {
  const took = tookOf(run);
  return run.info.status === "RUNNING" && run.info.start_time ? <Since at={run.info.start_time} /> : took === null ? null : <Duration ms={took} />;
}

function Parent({ id }: { id: string }) {
  const parent = useOperation(GetRun, id ? { run_id: id } : null);
  return <Link to={path`/run/${id}`}>{parent.data?.run.info.run_name ?? id}</Link>;
}

/** The versions of registered models that came from this run. */
function Registered({ run }: { run: Run }) {
  const versions = useOperation(SearchModelVersions, { filter: `run_id = ${quotedValue(run.info.run_id)}`, max_results: 100 });
  const found = versions.data?.model_versions ?? [];
  if (found.length === 0) return null;
  return (
    <section className="stack"><h2>Registered as</h2>
      <ul className="run-children">
        {found.map((one) => (
          <li key={`${one.name} ${one.version}`} className="line">
            <Link to={path`/models/${one.name}/${one.version}`} className="cut">{one.name} version {one.version}</Link>
            {(one.aliases ?? []).map((alias) => <Chip key={alias} icon="alias">{alias}</Chip>)}
            {one.current_stage && one.current_stage !== "None" && <Chip>{one.current_stage}</Chip>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Source({ run }: { run: Run }) {
  const name = tagOf(run, SOURCE) ?? "";
  const short = name.slice(name.lastIndexOf("/") + 1) || name;
  const type = tagOf(run, "mlflow.source.type")?.toLowerCase();
  return <><code data-tip={name}>{short}</code>{type && type !== "local" && <span className="soft"> {type}</span>}</>;
}

const SHORT = 8;

function Git({ run }: { run: Run }) {
  const commit = tagOf(run, COMMIT) ?? "";
  const url = tagOf(run, "mlflow.source.git.repoURL");
  const dirty = tagOf(run, "mlflow.source.git.dirty") === "true";
  const words = [tagOf(run, "mlflow.source.git.branch"), dirty && "changed"].filter(Boolean);
  return (
    <span className="run-id">
      <code data-tip={url ? `${url} ${commit}` : commit}>{commit.slice(0, SHORT)}</code>
      {words.length > 0 && <span className="soft cut" data-tip={dirty ? "Files had changes that were not committed" : undefined}>{words.join(", ")}</span>}
      <CopyButton text={commit} label="Copy the commit" />
    </span>
  );
}
