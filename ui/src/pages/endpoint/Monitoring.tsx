import { useMemo, useState } from "react";
import { RequestError } from "@/api/client";
import { useOperation } from "@/api/queries";
import { GetMonitor, ListAlerts, ListFindings, type Monitor, type WindowFindings } from "@/api/schema";
import { count, counted, duration, number, numberOf } from "@/base/format";
import { LineChart } from "@/charts/LineChart";
import { percentText } from "@/pages/serving/figures";
import { linesOf, tableOf, thresholdText } from "@/pages/endpoint/drift";
import { MonitorDialog, StopDialog } from "@/pages/endpoint/MonitorDialog";
import { WatchButton } from "@/pages/endpoint/watching";
import { Button } from "@/parts/Button";
import { Select } from "@/parts/Dialog";
import { Card, Empty, Loaded } from "@/parts/States";
import { Facts, Mark, Time } from "@/parts/Values";

const WINDOWS = 100;
const ALERTS = 100;
const POLL_MS = 10_000;
const HEIGHT = 180;
const DIGITS = 4;

interface Props {
  name: string;
  /** The version whose findings are shown; "" for that of the newest window. */
  version: string;
  onVersion: (version: string) => void;
  /** "statistic:column" of the chart; "" for none. */
  chart: string;
  onChart: (chart: string) => void;
}

/** How requests stand to the training data: drift, alerts, and what the monitor looks at. */
export function Monitoring(props: Props) {
  const query = useOperation(GetMonitor, { name: props.name });
  if (query.error instanceof RequestError && query.error.status === 404) {
    return <div className="empty"><p>Nothing watches this endpoint. A monitor keeps requests and compares them with the data that the model was trained on.</p><WatchButton name={props.name} /></div>;
  }
  return (
    <Loaded query={query} what="The monitor">
      {({ monitor }) => (
        <div className="endpoint-overview scroll" tabIndex={0} role="region" aria-label="Monitoring">
          <div className="stack endpoint-column"><Drift {...props} /></div>
          <div className="stack endpoint-column"><Alerts name={props.name} /><Settings monitor={monitor} /></div>
        </div>
      )}
    </Loaded>
  );
}

function Drift({ name, version, onVersion, chart, onChart }: Props) {
  const query = useOperation(ListFindings, { name, max_results: WINDOWS }, { refetchInterval: POLL_MS });
  const versions = [...new Set((query.data?.windows ?? []).map((one) => one.window.version ?? ""))];
  const shown = version || versions[0] || "";
  const windows = useMemo(() => (query.data?.windows ?? []).filter((one) => (one.window.version ?? "") === shown), [query.data, shown]);
  return (
    <Card
      title="Drift"
      actions={versions.length > 1 && <Select quiet label="Version" value={shown} onChange={onVersion} options={versions.map((one) => [one, `version ${one}`] as const)} />}
    >
      <Loaded query={query} what="The findings">
        {() => windows.length === 0 ? <Empty title="No window was looked at yet. One is as soon as enough requests came." /> : <Windows windows={windows} chart={chart} onChart={onChart} />}
      </Loaded>
    </Card>
  );
}

function Windows({ windows, chart, onChart }: { windows: readonly WindowFindings[]; chart: string; onChart: (chart: string) => void }) {
  const newest = windows[0];
  const { statistics, rows } = useMemo(() => tableOf(newest), [newest]);
  const [statistic = "", ...rest] = (chart || keyOfFirst(newest)).split(":");
  const column = rest.join(":");
  const lines = useMemo(() => linesOf(windows, statistic, column), [windows, statistic, column]);
  return (
    <div className="stack">
      <p className="soft">Version {newest?.window.version}, {counted(newest?.window.rows ?? 0, "row")} until <Time at={newest?.window.end_time} />; {counted(windows.length, "window")} in all.</p>
      <div className="scroll" tabIndex={0} role="region" aria-label="The newest window">
        <table className="facts-table">
          <thead><tr><th scope="col">Column</th>{statistics.map((one) => <th key={one} scope="col" className="number">{one}</th>)}</tr></thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.column}>
                <th scope="row">{row.column || "all together"}</th>
                {statistics.map((one) => {
                  const found = row.of.get(one);
                  const key = `${one}:${row.column}`;
                  const bad = found?.state === "exceeded";
                  return (
                    <td key={one} className="number">
                      {found && (
                        <button
                          type="button" className={`endpoint-found${bad ? " bad" : ""}`} aria-pressed={statistic === one && column === row.column}
                          data-tip={`${bad ? "Beyond its limit" : "Within its limit"}${numberOf(found.limit) === null ? "" : `, ${number(found.limit)}`}`} onClick={() => onChart(key)}
                        >{number(found.value, DIGITS)}{bad && <> !<span className="unseen">, beyond its limit</span></>}</button>
                      )}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <h3>{statistic}{column && ` of ${column}`}</h3>
      <LineChart label={`${statistic}${column ? ` of ${column}` : ""}`} lines={lines} height={HEIGHT} axis="time" />
    </div>
  );
}

/** What is charted first: what is beyond its limit, else the first. */
function keyOfFirst(window: WindowFindings | undefined): string {
  const found = window?.findings?.find((one) => one.state === "exceeded") ?? window?.findings?.[0];
  return found ? `${found.statistic}:${found.column ?? ""}` : "";
}

function Alerts({ name }: { name: string }) {
  const query = useOperation(ListAlerts, { name, max_results: ALERTS }, { refetchInterval: POLL_MS });
  return (
    <Card title="Alerts" flush>
      <Loaded query={query} what="The alerts">
        {({ alerts = [] }) => alerts.length === 0 ? <Empty title="No alert was raised." /> : (
          <table className="facts-table">
            <thead><tr><th scope="col">State</th><th scope="col">What</th><th scope="col">Why</th><th scope="col">Raised</th></tr></thead>
            <tbody>
              {alerts.map((one) => (
                <tr key={one.alert_id}>
                  <td>{one.cleared_time ? <span data-tip={one.cleared_reason ?? undefined}><Mark tone="soft">Cleared</Mark></span> : <Mark tone="bad">Open</Mark>}</td>
                  <td>{one.statistic}{one.column && ` of ${one.column}`}{one.version && <span className="soft"> v{one.version}</span>}</td>
                  <td>{one.reason}</td>
                  <td><Time at={one.raised_time} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Loaded>
    </Card>
  );
}

function Settings({ monitor }: { monitor: Monitor }) {
  const [open, setOpen] = useState<"change" | "stop" | null>(null);
  const settings = monitor.settings ?? {};
  const seconds = (value: unknown) => duration(1000 * Number(value ?? 0));
  return (
    <Card title="Monitor" actions={<><Button icon="edit" onClick={() => setOpen("change")}>Change</Button><Button icon="close" onClick={() => setOpen("stop")}>Stop watching</Button></>}>
      <Facts rows={[
        ["State", settings.enabled === false ? <Mark key="off" tone="soft">Off</Mark> : <Mark key="on" tone="ok">Watching</Mark>],
        ["Last look", monitor.last_check ? <Time key="last" at={monitor.last_check} /> : "none yet"],
        ["Requests kept", `${percentText(100 * (numberOf(settings.sample_rate) ?? 1))}, for ${number(settings.keep_days)} days, ${count(settings.keep_requests ?? 0)} at most${settings.keep_bodies === false ? ", without bodies: there is no drift" : ""}`],
        ["Looked at", `every ${seconds(settings.every_seconds)}, when ${count(settings.window_rows ?? 0)} rows came, or ${count(settings.minimum_rows ?? 0)} after ${seconds(settings.window_seconds)}`],
        ["Alerts", `raised after ${counted(settings.raise_after ?? 0, "window")}, cleared after ${counted(settings.clear_after ?? 0, "window")}; a false one in ${count(Math.round(1 / (numberOf(settings.false_alarm_rate) || 1)))} windows`],
        ["Thresholds", (settings.thresholds ?? []).length > 0 ? <span key="own" className="mono endpoint-thresholds">{thresholdText(settings.thresholds ?? [])}</span> : "the usual ones"],
        ["Then", (settings.actions ?? []).map((one) => (one.kind === "tag" ? `tag ${one.key} = ${one.value}` : "webhooks")).join(", ")],
      ]} />
      {open === "change" && <MonitorDialog monitor={monitor} onClose={() => setOpen(null)} />}
      {open === "stop" && <StopDialog name={monitor.endpoint} onClose={() => setOpen(null)} />}
    </Card>
  );
}
