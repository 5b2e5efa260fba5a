import { useState } from "react";
import type { EndpointAnswer } from "@/api/schema";
import { prefix } from "@/base/location";
import { choice, flag, text, useUrlState } from "@/base/url";
import { Page } from "@/frame/Page";
import { Link, path, useGo } from "@/frame/router";
import { ServingState } from "@/pages/models/columns";
import { DeleteEndpointDialog, NoHost, restart, turn, useEndpoint, useLiveEndpoints } from "@/pages/serving/actions";
import { replicasOf } from "@/pages/serving/figures";
import { Canary } from "@/pages/endpoint/Canary";
import { Figures } from "@/pages/endpoint/Figures";
import { History } from "@/pages/endpoint/History";
import { Logs } from "@/pages/endpoint/Logs";
import { Monitoring } from "@/pages/endpoint/Monitoring";
import { Requests } from "@/pages/endpoint/Requests";
import { SettingsDialog } from "@/pages/endpoint/Settings";
import { Shadow } from "@/pages/endpoint/Shadow";
import { Traffic } from "@/pages/endpoint/Traffic";
import { TryIt } from "@/pages/endpoint/TryIt";
import { Versions } from "@/pages/endpoint/Versions";
import { Button, CopyButton } from "@/parts/Button";
import { ErrorCard, Loaded } from "@/parts/States";
import { Tabs } from "@/parts/Tabs";
import { Time } from "@/parts/Values";
import "@/pages/serving/serving.css";
import "@/pages/endpoint/endpoint.css";

const WAY = [["/serving", "Serving"]] as const;
const TABS = [
  { key: "overview", label: "Overview" }, { key: "requests", label: "Requests" }, { key: "monitoring", label: "Monitoring" }, { key: "logs", label: "Logs" },
  { key: "history", label: "History" },
] as const;
// `version` is the one that the form asks, "" for the traffic rule; `log` the one whose lines are shown. `last` is the
// time that charts show. `drift` is the version whose findings are shown, `chart` the statistic and column of their chart.
const STATE = {
  tab: choice(["overview", "requests", "monitoring", "logs", "history"]), version: text(), last: choice(["1h", "6h", "1d", "7d"]),
  show: choice(["all", "bad", "known"]), log: text(), follow: flag(true), drift: text(), chart: text(),
};

/** One endpoint: what it serves, how it does, and a form to try it. */
export default function Endpoint({ name }: { name: string }) {
  const query = useEndpoint(name);
  useLiveEndpoints();
  if (!query.data) return <Page title={name} way={WAY} padded><Loaded query={query} what="The endpoint">{() => null}</Loaded></Page>;
  return <Served answer={query.data} error={query.error} onRetry={() => void query.refetch()} />;
}

function Served({ answer, error, onRetry }: { answer: EndpointAnswer; error: unknown; onRetry: () => void }) {
  const go = useGo();
  const [state, set] = useUrlState(STATE);
  const [open, setOpen] = useState<"settings" | "delete" | null>(null);
  const { endpoint } = answer;
  return (
    <Page
      title={endpoint.name} way={WAY}
      actions={<>
        <Button icon={endpoint.enabled ? "pause" : "play"} onClick={() => void turn(endpoint)}>{endpoint.enabled ? "Switch off" : "Switch on"}</Button>
        <Button icon="refresh" onClick={() => void restart(endpoint.name)} tip="New processes; requests go on being answered">Restart</Button>
        <Button icon="settings" onClick={() => setOpen("settings")}>Settings</Button>
        <Button icon="trash" tone="bad" onClick={() => setOpen("delete")}>Delete</Button>
      </>}
    >
      <NoHost />
      {error !== null && <ErrorCard what="The endpoint could not be read again" error={error} onRetry={onRetry} />}
      <State answer={answer} />
      <Tabs label="Endpoint" tabs={TABS} value={state.tab} onChange={(tab) => set({ tab }, { push: true })}>
        {state.tab === "overview" && (
          <div className="endpoint-overview scroll" tabIndex={0} role="region" aria-label="Overview">
            <div className="stack endpoint-column">
              <Versions answer={answer} />
              <Traffic answer={answer} />
              <Canary answer={answer} />
              <Shadow answer={answer} />
            </div>
            <div className="stack endpoint-column">
              <Figures name={endpoint.name} last={state.last} onLast={(last) => set({ last })} />
              <TryIt answer={answer} version={state.version} onVersion={(version) => set({ version })} />
            </div>
          </div>
        )}
        {state.tab === "requests" && <Requests name={endpoint.name} shown={state.show} onShown={(show) => set({ show }, { push: true })} />}
        {state.tab === "monitoring" && (
          <Monitoring name={endpoint.name} version={state.drift} onVersion={(drift) => set({ drift, chart: "" })} chart={state.chart} onChart={(chart) => set({ chart })} />
        )}
        {state.tab === "logs" && <Logs answer={answer} version={state.log} onVersion={(log) => set({ log })} follow={state.follow} onFollow={(follow) => set({ follow })} />}
        {state.tab === "history" && <History name={endpoint.name} />}
      </Tabs>
      {open === "settings" && <SettingsDialog endpoint={endpoint} onClose={() => setOpen(null)} />}
      {open === "delete" && <DeleteEndpointDialog name={endpoint.name} onClose={() => setOpen(null)} onDone={() => go("/serving")} />}
    </Page>
  );
}

function State({ answer }: { answer: EndpointAnswer }) {
  const { endpoint } = answer;
  const { ready, all } = replicasOf(answer);
  const address = new URL(`${prefix}/endpoints/${encodeURIComponent(endpoint.name)}/invocations`, location.href).href;
  return (
    <section className="endpoint-state" aria-label="State">
      <ServingState state={endpoint.state} />
      {endpoint.reason && <span>{endpoint.reason}</span>}
      <span><span className="soft">Model </span><Link to={path`/models/${endpoint.model}`}>{endpoint.model}</Link></span>
      <span><span className="soft">Replicas </span>{ready}/{all}</span>
      <span><span className="soft">Environment </span>{endpoint.env_manager}</span>
      <span><span className="soft">Since </span><Time at={endpoint.creation_timestamp} /></span>
      <span className="line"><span className="mono cut">{address}</span><CopyButton text={address} label="Copy the address" /></span>
    </section>
  );
}
