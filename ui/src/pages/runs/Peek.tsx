import { useOperation } from "@/api/queries";
import { GetRun } from "@/api/schema";
import { Link, path } from "@/frame/router";
import { Drawer } from "@/parts/Drawer";
import { Markdown } from "@/parts/Sanitised";
import { Loaded } from "@/parts/States";
import { isOwn } from "@/parts/tags";
import { Chip, Duration, Facts, KeyName, Num, RunStatus, Time } from "@/parts/Values";

/** A run beside the table. */
export default function Peek({ id, onClose }: { id: string; onClose: () => void }) {
  const run = useOperation(GetRun, { run_id: id }, { placeholderData: (before) => before });
  const info = run.data?.run.info;
  return (
    <Drawer label="Run" title={<Link to={path`/run/${id}`}>{info?.run_name ?? id}</Link>} onClose={onClose}>
      <Loaded query={run} what="The run">{({ run: { info, data } }) => (
        <div className="stack peek">
          <Facts rows={[
            ["Status", <RunStatus status={info.status} />], ["Started", <Time at={info.start_time} />],
            ["Took", info.end_time && info.start_time ? <Duration ms={info.end_time - info.start_time} /> : null],
            ["User", info.user_id], ["Id", <code>{info.run_id}</code>],
          ]} />
          <div className="chips">{(data?.tags ?? []).filter(isOwn).map((tag) => <Chip key={tag.key}>{tag.key} {tag.value}</Chip>)}</div>
          {data?.tags?.find((tag) => tag.key === "mlflow.note.content")?.value && <Markdown text={data.tags.find((tag) => tag.key === "mlflow.note.content")?.value ?? ""} />}
          <h3>Metrics</h3>
          <table className="facts-table"><tbody>{(data?.metrics ?? []).slice(0, 200).map((metric) => <tr key={metric.key}><td><KeyName>{metric.key}</KeyName></td><td className="number"><Num value={metric.value} /></td></tr>)}</tbody></table>
          <h3>Parameters</h3>
          <table className="facts-table"><tbody>{(data?.params ?? []).slice(0, 200).map((param) => <tr key={param.key}><td><KeyName>{param.key}</KeyName></td><td className="mono">{param.value}</td></tr>)}</tbody></table>
        </div>
      )}</Loaded>
    </Drawer>
  );
}
