import { useState } from "react";
import { call, RequestError } from "@/api/client";
import { refresh, useOperation } from "@/api/queries";
import { CreateModelVersion, CreateRegisteredModel, DeleteModelVersion, GetRegisteredModel, OverviewModels, SearchLoggedModels, SearchModelVersions, SearchRegisteredModels, type Run } from "@/api/schema";
import { useRunModels, type RunModel } from "@/pages/run/models";
import { Dialog, FormDialog, Select, TextField } from "@/parts/Dialog";
import { Empty, Loading } from "@/parts/States";
import { toast } from "@/parts/Toast";

interface Props {
  run: Run;
  /** The model that is registered; without it, one of the run's is chosen. */
  model?: RunModel;
  onClose: () => void;
}

const NEW = "\0new";
const MOST = 1000;

/** Makes a version of a registered model, a new one or one there is, from a model of a run. */
export default function RegisterDialog({ run, model, onClose }: Props) {
  const models = useRunModels(run);
  const registered = useOperation(SearchRegisteredModels, { max_results: MOST });
  if (!models || (!registered.data && !registered.error)) return <Dialog title="Register a model" onClose={onClose}><Loading /></Dialog>;
  const offered = model && !models.some(({ key }) => key === model.key) ? [model, ...models] : models;
  if (offered.length === 0) {
    return <Dialog title="Register a model" onClose={onClose} width={560}><Empty title="This run logged no model, so there is nothing to register." code={'mlflow.sklearn.log_model(model, name="model")'} /></Dialog>;
  }
  return <RegisterForm run={run} models={offered} first={model ?? offered[0]} names={(registered.data?.registered_models ?? []).map(({ name }) => name)} onClose={onClose} />;
}

interface FormProps {
  run: Run;
  models: readonly RunModel[];
  first: RunModel | undefined;
  names: readonly string[];
  onClose: () => void;
}

function RegisterForm({ run, models, first, names, onClose }: FormProps) {
  const [key, setKey] = useState(first?.key ?? "");
  const [target, setTarget] = useState(names[0] ?? NEW);
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const model = models.find((one) => one.key === key);
  const to = target === NEW ? name.trim() : target;
  const submit = async () => {
    if (!model) return;
    if (target === NEW) await created(to);
    const { model_version: made } = await call(CreateModelVersion, {
      name: to, source: model.source, run_id: run.info.run_id, ...(model.id ? { model_id: model.id } : {}), ...(description.trim() ? { description: description.trim() } : {}),
    });
    await refreshModels();
    toast(`Registered ${model.name} as ${to} version ${made.version}`, { undo: () => call(DeleteModelVersion, { name: to, version: made.version }).then(refreshModels) });
  };
  return (
    <FormDialog title="Register a model" action="Register" disabled={!model || !to} onSubmit={submit} onClose={onClose} width={480}>
      {models.length > 1
        ? <Select label="Model of the run" value={key} onChange={setKey} options={models.map((one) => [one.key, one.id ? `${one.name} (${one.id})` : one.name] as const)} />
        : <p>The model <strong>{model?.name}</strong> of {run.info.run_name ?? "the run"} becomes a new version.</p>}
      <Select label="Registered model" value={target} onChange={setTarget} options={[...names.map((one) => [one, one] as const), [NEW, "A new one…"]]} />
      {target === NEW && <TextField label="Name of the new model" value={name} onChange={setName} focus />}
      <TextField label="Description of the version" value={description} onChange={setDescription} lines={3} hint="May be left empty." />
    </FormDialog>
  );
}

/** Makes a registered model, unless one of the name is there. */
async function created(name: string): Promise<void> {
  try {
    await call(CreateRegisteredModel, { name });
  } catch (error) {
    if (!(error instanceof RequestError) || error.code !== "RESOURCE_ALREADY_EXISTS") throw error;
  }
}

function refreshModels(): Promise<void> {
  return refresh(OverviewModels, SearchModelVersions, SearchRegisteredModels, GetRegisteredModel, SearchLoggedModels);
}
