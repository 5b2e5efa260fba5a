// The runs above and below a run: its children, theirs, and the other steps of its pipeline.
import { useOperation } from "@/api/queries";
import { QueryRuns, type Run, type RunTable } from "@/api/schema";
import { counted } from "@/base/format";
import { Link, path } from "@/frame/router";
import { MADE_BY, PIPELINE, STEP } from "@/pages/run/project";
import { PARENT, tagOf } from "@/pages/run/state";
import { quotedValue } from "@/parts/filter";
import { Chip, Duration, RunStatus } from "@/parts/Values";

const MOST = 10;
const MOST_STEPS = 100;
const MOST_BELOW = 200;
const COLUMNS = ["attributes.run_name", "attributes.status", "attributes.duration", `tags.${STEP}`, `tags.${MADE_BY}`, `tags.${PARENT}`];

interface Member {
  id: string;
  name: string;
  status: string;
  duration: number | null;
  step: string | null;
  madeBy: string | null;
  parent: string | null;
}

function membersOf(table: RunTable | undefined): Member[] {
  const cell = (column: string, at: number) => table?.cols?.[column]?.[at] as string | number | null | undefined;
  const text = (column: string, at: number) => (cell(column, at) === null || cell(column, at) === undefined ? null : String(cell(column, at)));
  return (table?.ids ?? []).map((id, at) => ({
    id, name: text("attributes.run_name", at) ?? id, status: text("attributes.status", at) ?? "", duration: cell("attributes.duration", at) as number | null,
    step: text(`tags.${STEP}`, at), madeBy: text(`tags.${MADE_BY}`, at), parent: text(`tags.${PARENT}`, at),
  }));
}

/** The children of some runs, at most so many; steps in the order in which they began. */
function useChildren(experiment: string, parents: readonly string[], most: number, inOrder: boolean) {
  const filter = `tags.\`${PARENT}\` IN (${parents.map(quotedValue).join(", ")})`;
  const table = useOperation(QueryRuns, parents.length === 0 ? null : {
    experiment_ids: [experiment], filter, columns: COLUMNS, limit: most, order_by: [inOrder ? "start_time ASC" : "start_time DESC"],
  });
  return { members: membersOf(table.data), total: table.data?.matched ?? 0, filter };
}

/** The children of a run as a tree; of a step, the steps of its pipeline. */
export default function Family({ run }: { run: Run }) {
  const { run_id: id, experiment_id: experiment } = run.info;
  const isPipeline = tagOf(run, PIPELINE) !== undefined;
  const parent = tagOf(run, PARENT);
  const isStep = tagOf(run, STEP) !== undefined;
  const own = useChildren(experiment, [id], isPipeline ? MOST_STEPS : MOST, isPipeline);
  const below = useChildren(experiment, own.members.map((child) => child.id), MOST_BELOW, true);
  const beside = useChildren(experiment, isStep && parent ? [parent] : [], MOST_STEPS, true);
  return (
    <>
      {beside.members.length > 0 && (
        <section className="stack"><h2>Steps of the pipeline</h2><Members label="Steps of the pipeline" members={beside.members} current={id} /></section>
      )}
      {own.members.length > 0 && (
        <section className="stack">
          <div className="line"><h2 className="grow">{isPipeline ? "Steps" : "Child runs"}</h2><Link to={`/exp/${encodeURIComponent(experiment)}?q=${encodeURIComponent(own.filter)}`}>{counted(own.total, "run")}</Link></div>
          <Members label={isPipeline ? "Steps" : "Child runs"} members={own.members} below={below.members} />
        </section>
      )}
    </>
  );
}

function Members({ label, members, below = [], current }: { label: string; members: readonly Member[]; below?: readonly Member[]; current?: string }) {
  return (
    <ul className="run-children" aria-label={label}>
      {members.map((member) => {
        const inner = below.filter((one) => one.parent === member.id);
        return (
          <li key={member.id}>
            <div className="line">
              <RunStatus status={member.status} quiet />
              {member.id === current ? <strong className="cut" aria-current="true">{member.step ?? member.name}</strong> : <Link to={path`/run/${member.id}`} className="cut">{member.step ?? member.name}</Link>}
              {member.madeBy && <Chip title="Nothing it depends on had changed: its outputs are those of an earlier run">made before</Chip>}
              <span className="grow" />{!member.madeBy && <span className="soft"><Duration ms={member.duration} /></span>}
            </div>
            {inner.length > 0 && <Members label={`Child runs of ${member.name}`} members={inner} />}
          </li>
        );
      })}
    </ul>
  );
}
