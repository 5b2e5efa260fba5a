import { useState } from "react";
import type { ServingEndpoint } from "@/api/schema";
import { refreshEndpoints, update } from "@/pages/serving/actions";
import { MANAGERS, SERVES } from "@/pages/serving/SwitchOn";
import { FormDialog, Select, TextField } from "@/parts/Dialog";
import { toast } from "@/parts/Toast";

/** How many processes an endpoint has, where they run, and what a request may take. */
export function SettingsDialog({ endpoint, onClose }: { endpoint: ServingEndpoint; onClose: () => void }) {
  const [replicas, setReplicas] = useState(String(endpoint.replicas));
  const [workers, setWorkers] = useState(String(endpoint.workers));
  const [manager, setManager] = useState<string>(endpoint.env_manager);
  const [serves, setServes] = useState<string>(endpoint.serves);
  const [idle, setIdle] = useState(String(endpoint.idle_seconds));
  const [bytes, setBytes] = useState(String(endpoint.limits?.body_bytes ?? ""));
  const [seconds, setSeconds] = useState(String(endpoint.limits?.seconds ?? ""));
  const [requests, setRequests] = useState(String(endpoint.limits?.requests ?? ""));
  const submit = async () => {
    await update(endpoint.name, {
      replicas: Number(replicas), workers: Number(workers), env_manager: manager, serves, idle_seconds: Number(idle), revision: endpoint.revision,
      limits: { body_bytes: limit(bytes), seconds: limit(seconds), requests: limit(requests) },
    });
    const { replicas: were, workers: worked, env_manager, serves: served, idle_seconds, limits } = endpoint;
    toast(`Changed ${endpoint.name}`, { undo: () => update(endpoint.name, { replicas: were, workers: worked, env_manager, serves: served, idle_seconds, limits: limits ?? {} }) });
    await refreshEndpoints();
  };
  return (
    <FormDialog title={`Settings of ${endpoint.name}`} action="Save" width={520} onSubmit={submit} onClose={onClose}>
      <TextField label="Replicas" value={replicas} onChange={setReplicas} type="number" hint="Scoring processes of each version." focus />
      <TextField label="Workers" value={workers} onChange={setWorkers} type="number" hint="Processes that predict, in each replica." />
      <Select label="Environment" value={manager} onChange={setManager} options={MANAGERS} />
      <Select label="Versions that run" value={serves} onChange={setServes} options={SERVES} />
      <TextField label="Seconds without a request until a version without traffic ends" value={idle} onChange={setIdle} type="number" hint="0: it never ends." />
      <TextField label="Bytes of a request, at most" value={bytes} onChange={setBytes} type="number" placeholder="the host's default" />
      <TextField label="Seconds until an answer, at most" value={seconds} onChange={setSeconds} type="number" placeholder="the host's default" />
      <TextField label="Requests under way at one time, at most" value={requests} onChange={setRequests} type="number" placeholder="the host's default" />
    </FormDialog>
  );
}

function limit(text: string): number | null {
  return text.trim() === "" ? null : Number(text);
}
