import { useMemo, useState } from "react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { call } from "@/api/client";
import { GetServiceFigures, type ServiceFigures } from "@/api/schema";
import { count, number, numberOf } from "@/base/format";
import { styleOf } from "@/charts/colours";
import { LineChart } from "@/charts/LineChart";
import { linesOf, MEASURES, versionsOf } from "@/pages/endpoint/series";
import { milliseconds } from "@/pages/serving/columns";
import { lately, type Window } from "@/pages/serving/figures";
import { Button } from "@/parts/Button";
import { Card, Empty, Loaded } from "@/parts/States";
import { Switch } from "@/parts/Tabs";
import { Time } from "@/parts/Values";

export type Last = "1h" | "6h" | "1d" | "7d";

const LASTS = [["1h", "Hour"], ["6h", "6 hours"], ["1d", "Day"], ["7d", "Week"]] as const;
const WINDOWS: Readonly<Record<Last, readonly [minutes: number, step: number]>> = { "1h": [60, 1], "6h": [360, 5], "1d": [1440, 15], "7d": [10_080, 120] };
const POLL_MS = 10_000;
const HEIGHT = 110;

/** Four small charts of what an endpoint did: requests, errors, latency, a line a version. */
export function Figures({ name, last, onLast }: { name: string; last: Last; onLast: (last: Last) => void }) {
  const [table, setTable] = useState(false);
  const query = useQuery({
    queryKey: [GetServiceFigures.path, name, last], refetchInterval: POLL_MS, placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const window = lately(...WINDOWS[last]);
      return { window, figures: (await call(GetServiceFigures, { name, ...window }, signal)).figures ?? [] };
    },
  });
  return (
    <Card
      title="Figures"
      actions={<>
        <Button icon="table" pressed={table} onClick={() => setTable(!table)}>As a table</Button>
        <Switch label="Time" options={LASTS} value={last} onChange={onLast} />
      </>}
    >
      <Loaded query={query} what="The figures">
        {({ figures, window }) => figures.length === 0 ? <Empty title="No requests in this time. The form below sends one." />
          : table ? <Numbers figures={figures} /> : <Charts name={name} figures={figures} window={window} />}
      </Loaded>
    </Card>
  );
}

function Charts({ name, figures, window }: { name: string; figures: readonly ServiceFigures[]; window: Window }) {
  const charts = useMemo(() => MEASURES.map((measure) => ({ measure, lines: linesOf(figures, measure, window) })), [figures, window]);
  return (
    <>
      <div className="endpoint-charts">
        {charts.map(({ measure, lines }) => (
          <div key={measure.key}><h3 className="soft">{measure.title}</h3><LineChart label={measure.title} lines={lines} height={HEIGHT} axis="time" zoom={[window.start_time / 1000, window.end_time / 1000]} sync={`endpoint ${name}`} /></div>
        ))}
      </div>
      <div className="line endpoint-legend">
        {versionsOf(figures).map((version, index) => (
          <span key={version} className="line"><span className="swatch" style={{ background: styleOf(index).colour }} />{version ? `version ${version}` : "no version"}</span>
        ))}
      </div>
    </>
  );
}

function Numbers({ figures }: { figures: readonly ServiceFigures[] }) {
  return (
    <div className="endpoint-numbers scroll" tabIndex={0} role="region" aria-label="Figures as a table">
      <table className="facts-table">
        <thead><tr><th scope="col">From</th><th scope="col">Version</th>{["Requests", "Errors", "Refused", "p50", "p95", "p99"].map((title) => <th key={title} scope="col" className="number">{title}</th>)}</tr></thead>
        <tbody>
          {figures.toReversed().map((one) => (
            <tr key={`${one.time} ${one.version}`}>
              <td><Time at={one.time} /></td><td>{one.version ? `v${one.version}` : ""}</td>
              <td className="number">{count(one.requests ?? 0)}</td><td className="number">{count(one.errors ?? 0)}</td><td className="number">{count(one.refused ?? 0)}</td>
              {[one.p50, one.p95, one.p99].map((value, at) => <td key={at} className="number" data-tip={`${number(value)} s`}>{milliseconds(numberOf(value) ?? 0)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
