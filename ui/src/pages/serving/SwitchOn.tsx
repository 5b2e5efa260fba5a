import { useState } from "react";
import { call } from "@/api/client";
import { useOperation } from "@/api/queries";
import { CreateEndpoint, OverviewModels } from "@/api/schema";
import { refreshEndpoints } from "@/pages/serving/actions";
import { FormDialog, Select, TextField } from "@/parts/Dialog";
import { Loaded } from "@/parts/States";
import { toast } from "@/parts/Toast";

const MODELS = 1000;

export const MANAGERS = [
  ["uv", "uv: an environment of its own, made fast"], ["virtualenv", "virtualenv: an environment of its own"],
  ["conda", "conda: an environment of its own"], ["local", "local: that of the serving host"],
] as const;
export const SERVES = [["all", "Every version that is not archived"], ["traffic", "Only those that take traffic"]] as const;

interface Props {
  /** The registered model that is chosen first. */
  model: string;
  onClose: () => void;
  onDone: (name: string) => void;
}

/** Switches serving on for a registered model: makes an endpoint. */
export function SwitchOn({ model, onClose, onDone }: Props) {
  const models = useOperation(OverviewModels, { limit: MODELS, order_by: "name ASC" });
  const names = (models.data?.models ?? []).map((one) => one.name);
  const [chosen, setChosen] = useState(model);
  const [name, setName] = useState("");
  const [target, setTarget] = useState("");
  const [manager, setManager] = useState<string>("uv");
  const [serves, setServes] = useState<string>("all");
  const of = chosen || names[0] || "";
  const summary = models.data?.models?.find((one) => one.name === of);
  const targets: (readonly [string, string])[] = [
    ["", "Newest in Production, else newest"], ["latest", "latest: always the newest"], ["Production", "Production"], ["Staging", "Staging"],
    ...(summary?.aliases ?? []).map((one) => [`@${one.alias}`, `@${one.alias}, now version ${one.version}`] as const),
    ...(summary?.latest ? [[summary.latest, `version ${summary.latest}`] as const] : []),
  ];
  const submit = async () => {
    const { endpoint } = await call(CreateEndpoint, {
      name: name.trim() || of, model: of, env_manager: manager, serves, traffic: target ? [{ target, weight: 1 }] : [],
    });
    await refreshEndpoints();
    toast(`${endpoint.name} is switched on`);
    onDone(endpoint.name);
  };
  return (
    <FormDialog title="Switch serving on" action="Switch on" width={520} disabled={!of} onSubmit={submit} onClose={onClose}>
      <Loaded query={models} what="The models">
        {() => names.length === 0 ? <p>There are no registered models yet. Register the model of a run first.</p> : <>
          <Select
            label="Registered model" value={of} options={(names.includes(of) ? names : [of, ...names]).map((one) => [one, one] as const)}
            onChange={(value) => {
              setChosen(value);
              setTarget("");
            }}
          />
          <Select label="Version that answers" value={target} onChange={setTarget} options={targets} />
          <Select label="Environment" value={manager} onChange={setManager} options={MANAGERS} />
          <Select label="Versions that run" value={serves} onChange={setServes} options={SERVES} />
          <TextField label="Name of the endpoint" value={name} onChange={setName} placeholder={of} hint="Left empty, that of the model. Its address is /endpoints/NAME/invocations." />
        </>}
      </Loaded>
    </FormDialog>
  );
}
