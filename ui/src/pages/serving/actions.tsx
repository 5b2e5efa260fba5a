import { useQuery } from "@tanstack/react-query";
import { useEvents } from "@/api/events";
import { call } from "@/api/client";
import { refresh, useOperation } from "@/api/queries";
import {
  DeleteEndpoint, GetEndpoint, GetEndpointLogs, GetMonitor, GetServiceFigures, ListAlerts, ListEndpointEvents, ListEndpoints, ListFindings, ListServingHosts, RestartEndpoint,
  SearchRequests, UpdateEndpoint, type ServingEndpoint,
} from "@/api/schema";
import { lately, totalsOf, type Totals } from "@/pages/serving/figures";
import { FormDialog } from "@/parts/Dialog";
import { Empty } from "@/parts/States";
import { toast, toastError } from "@/parts/Toast";
import { Mark } from "@/parts/Values";

const MINUTES = 15;
const POLL_MS = 10_000;
const START_HOST = "millstream server --serve-models    # the server, and a host beside it\nmillstream endpoints host          # a host of its own, also on another machine";

const REPLICA_TONES: Readonly<Record<string, readonly ["ok" | "bad" | "running" | "warn" | "soft", string]>> = {
  READY: ["ok", "Ready"], STARTING: ["running", "Starting"], DRAINING: ["running", "Draining"], IDLE: ["soft", "Idle"], FAILED: ["bad", "Failed"], STOPPED: ["soft", "Stopped"],
};

/** The state of a replica, or of all those of a version. */
export function ReplicaState({ state }: { state: string }) {
  const [tone, word] = REPLICA_TONES[state] ?? ["soft", state];
  return <Mark tone={tone}>{word}</Mark>;
}

/** Reads again what shows endpoints: their settings and what is observed of them. */
export function refreshEndpoints(): Promise<void> {
  return refresh(ListEndpoints, GetEndpoint, ListEndpointEvents, ListServingHosts, GetEndpointLogs);
}

/** Keeps a page about endpoints up to date. */
export function useLiveEndpoints(): void {
  useEvents({}, ({ changes = [], reset }) => {
    const kinds = new Set(changes.map((change) => change.kind));
    // Changes of one endpoint have its kind, be they settings or findings; hosts and figures that of their group.
    const one = reset || kinds.has("endpoint");
    if (one || kinds.has("endpoints")) void refreshEndpoints();
    if (one || kinds.has("monitoring")) void refresh(SearchRequests, GetServiceFigures, GetMonitor, ListFindings, ListAlerts);
  });
}

/** An endpoint. Hosts that die tell nobody, so it is looked at now and then too. */
export function useEndpoint(name: string) {
  return useOperation(GetEndpoint, { name }, { refetchInterval: POLL_MS });
}

/** What an endpoint did in the last quarter of an hour; null for nothing. */
export function useTotals(name: string): Totals | null | undefined {
  return useQuery({
    queryKey: [GetServiceFigures.path, name, "lately"], refetchInterval: POLL_MS,
    queryFn: async ({ signal }) => {
      const window = lately(MINUTES, MINUTES);
      return totalsOf((await call(GetServiceFigures, { name, ...window }, signal)).figures ?? [], window);
    },
  }).data;
}

/** What to start where nothing serves; nothing while a host lives. */
export function NoHost() {
  const hosts = useOperation(ListServingHosts, {}, { refetchInterval: POLL_MS }).data;
  if (!hosts || (hosts.hosts ?? []).some((host) => host.alive)) return null;
  return <div role="status" className="no-host"><Empty title="No serving host lives, so nothing answers requests. Start one:" code={START_HOST} /></div>;
}

type Settings = Omit<NonNullable<typeof UpdateEndpoint.types>["request"], "name">;

/** Changes what is given of an endpoint, tells of it, and offers the way back. */
export async function change(endpoint: ServingEndpoint, settings: Settings, told: string): Promise<void> {
  try {
    const before = Object.fromEntries(Object.keys(settings).map((key) => [key, endpoint[key as keyof ServingEndpoint]]));
    await update(endpoint.name, { ...settings, revision: endpoint.revision });
    toast(told, { undo: () => update(endpoint.name, before) });
  } catch (error) {
    toastError(error);
  } finally {
    await refreshEndpoints();
  }
}

export async function update(name: string, settings: Settings): Promise<void> {
  await call(UpdateEndpoint, { name, ...settings });
  await refreshEndpoints();
}

export function turn(endpoint: ServingEndpoint): Promise<void> {
  return change(endpoint, { enabled: !endpoint.enabled }, `${endpoint.name} is switched ${endpoint.enabled ? "off" : "on"}`);
}

export function restart(name: string): Promise<void> {
  return call(RestartEndpoint, { name }).then(() => toast(`${name} starts new processes; requests go on being answered`), toastError).then(refreshEndpoints);
}

export function DeleteEndpointDialog({ name, onClose, onDone }: { name: string; onClose: () => void; onDone?: () => void }) {
  return (
    <FormDialog
      title={`Delete ${name}`} action="Delete" tone="bad" onClose={onClose}
      onSubmit={() => call(DeleteEndpoint, { name }).then(() => {
        toast(`Deleted the endpoint ${name}`);
        onDone?.();
        return refresh(ListEndpoints);
      })}
    >
      <p>Requests under way are answered, then its processes end. The registered model and its versions stay.</p>
    </FormDialog>
  );
}
