import { useOperation } from "@/api/queries";
import { GetLoggedModel, type Run } from "@/api/schema";
import { Link, path } from "@/frame/router";
import { useRunModels } from "@/pages/run/models";
import { Icon } from "@/parts/Icon";
import { Mark } from "@/parts/Values";

/** The models that a run logged or read. */
export function LoggedModels({ run }: { run: Run }) {
  const made = useRunModels(run) ?? [];
  const read = [...new Set((run.inputs?.model_inputs ?? []).map((input) => input.model_id))];
  if (made.length + read.length === 0) return null;
  return (
    <section className="stack"><h2>Models</h2>
      <ul className="run-children">
        {made.map((model) => {
          const state = model.info?.status.replace("LOGGED_MODEL_", "");
          return (
            <li key={model.key} className="line">
              <Icon name="model" /><Link to={`${path`/run/${run.info.run_id}`}?tab=model&model=${encodeURIComponent(model.key)}`} className="cut">{model.name}</Link>
              {model.id && <code className="soft cut" data-tip={model.id}>{model.id}</code>}
              {state === "PENDING" && <Mark tone="running">Pending</Mark>}
              {state === "UPLOAD_FAILED" && <Mark tone="bad">Failed</Mark>}
            </li>
          );
        })}
        {read.map((id) => <ModelRead key={id} id={id} />)}
      </ul>
    </section>
  );
}

function ModelRead({ id }: { id: string }) {
  const info = useOperation(GetLoggedModel, { model_id: id }).data?.model.info;
  return (
    <li className="line">
      <Icon name="model" />
      {info?.source_run_id ? <Link to={`${path`/run/${info.source_run_id}`}?tab=model&model=${encodeURIComponent(id)}`} className="cut">{info.name}</Link> : <code className="cut">{id}</code>}
      <span className="soft">read</span>
    </li>
  );
}
