import { Suspense, useState } from "react";
import ModelDescription from "@/artifacts/model/ModelDescription";
import { placeOfModel, placeOfRun } from "@/artifacts/place";
import type { Run } from "@/api/schema";
import { Link, path } from "@/frame/router";
import { useRunModels, type RunModel } from "@/pages/run/models";
import { Button } from "@/parts/Button";
import { Icon } from "@/parts/Icon";
import { Empty, Loading } from "@/parts/States";
import { Chip, Mark, Time } from "@/parts/Values";
import { lazily } from "@/parts/lazily";

const RegisterDialog = lazily(() => import("@/pages/run/RegisterDialog"));

interface Props {
  run: Run;
  /** The key of the model that is shown; "" for the first. */
  chosen: string;
  onChoose: (key: string) => void;
}

const CODE = "mlflow.sklearn.log_model(model, name=\"model\", input_example=data)";

/** The models of a run: what each takes and gives, what it needs, how it is loaded. */
export default function Models({ run, chosen, onChoose }: Props) {
  const models = useRunModels(run);
  const [registering, setRegistering] = useState(false);
  if (!models) return <Loading />;
  const model = models.find(({ key }) => key === chosen) ?? models[0];
  if (!model) return <Empty title="This run logged no model." code={CODE} />;
  return (
    <div className="run-models">
      {models.length > 1 && (
        <ul className="run-models-list scroll" aria-label="Models">
          {models.map((one) => (
            <li key={one.key}><button type="button" className="menu-item" aria-pressed={one === model} onClick={() => onChoose(one.key)}>
              <Icon name="model" /><span className="grow cut">{one.name}</span>{one.info && <span className="soft"><Time at={one.info.creation_timestamp_ms} /></span>}
            </button></li>
          ))}
        </ul>
      )}
      <div className="run-models-one scroll" tabIndex={0} role="region" aria-label="Model">
        <div className="line run-models-head">
          <h2>{model.name}</h2><ModelState model={model} />{versionsOf(model).map(({ name, version }) => <Link key={`${name} ${version}`} to={path`/models/${name}/${version}`}><Chip icon="alias">{name} version {version}</Chip></Link>)}
          <span className="grow" />
          <Link to={`${path`/run/${run.info.run_id}`}?tab=artifacts&path=${encodeURIComponent(model.id ? model.uri : model.folder ?? "")}`} className="button"><Icon name="folder" />Files</Link>
          <Button icon="model" onClick={() => setRegistering(true)}>Register</Button>
        </div>
        <ModelDescription key={model.key} place={model.id ? placeOfModel(model.id, model.name, true) : placeOfRun(run.info.run_id)} folder={model.folder ?? ""} uri={model.uri} />
      </div>
      {registering && <Suspense fallback={null}><RegisterDialog run={run} model={model} onClose={() => setRegistering(false)} /></Suspense>}
    </div>
  );
}

function ModelState({ model }: { model: RunModel }) {
  const state = model.info?.status.replace("LOGGED_MODEL_", "");
  if (state === "PENDING") return <Mark tone="running">Pending</Mark>;
  return state === "UPLOAD_FAILED" ? <Mark tone="bad">Failed</Mark> : null;
}

/** The versions that were made from a logged model. */
function versionsOf(model: RunModel): readonly { name: string; version: string | number }[] {
  try {
    return JSON.parse(model.info?.tags?.find((tag) => tag.key === "mlflow.modelVersions")?.value ?? "[]") as { name: string; version: number }[];
  } catch {
    return [];
  }
}
