import { useEffect, useMemo, useRef, useState } from "react";
import type { RunColumn } from "@/api/schema";
import { counted } from "@/base/format";
import type { StateOf } from "@/base/url";
import { styleOf } from "@/charts/colours";
import { useCurves, type Axis } from "@/charts/curves";
import { LineChart, type Line } from "@/charts/LineChart";
import type { STATE } from "@/pages/runs/state";
import { Button, IconButton } from "@/parts/Button";
import { Card, Empty, ErrorCard, Loading } from "@/parts/States";
import { Switch } from "@/parts/Tabs";

type State = StateOf<typeof STATE>;

interface Props {
  ids: readonly string[];
  /** Whether somebody has chosen these runs. */
  chosen: boolean;
  total: number;
  nameOf: (id: string) => string;
  metrics: readonly RunColumn[];
  state: State;
  set: (change: Partial<State>, options?: { push?: boolean }) => void;
}

const PIXELS = 600;
const FIRST = 24;

/** Charts of the chosen runs: a card a metric, grouped by what stands before the last slash of its key. */
export default function ChartsPane({ ids, chosen, total, nameOf, metrics, state, set }: Props) {
  const [zoom, setZoom] = useState<readonly [number, number] | null>(null);
  const [shown, setShown] = useState(FIRST);
  const keys = useMemo(() => metrics.filter((column) => column.kind === "metric").map((column) => column.key), [metrics]);
  const { found, problem } = useMemo(() => search(keys, state.find), [keys, state.find]);
  const groups = useMemo(() => grouped(found.slice(0, shown)), [found, shown]);
  const said = chosen ? counted(ids.length, "run") : total > ids.length ? `First ${ids.length} of ${counted(total, "run")}` : counted(ids.length, "run");
  return (
    <div className="charts" role="region" aria-label="Charts">
      <div className="charts-bar">
        <input
          className={`input charts-search${problem ? " wrong" : ""}`} aria-label="Search charts" placeholder="Search charts (regular expression)" value={state.find} spellCheck={false}
          aria-invalid={problem ? true : undefined} onChange={(event) => set({ find: event.target.value })}
        />
        <Switch label="Axis" options={[["step", "Step"], ["time", "Time"], ["relative", "Relative"]]} value={state.x} onChange={(x) => {
          setZoom(null);
          set({ x });
        }} />
        <label className="line"><span className="soft">Smooth</span><input type="range" min="0" max="0.99" step="0.01" value={state.smooth} aria-label="Smoothing" onChange={(event) => set({ smooth: Number(event.target.value) })} /><span className="figure charts-smooth">{state.smooth || "off"}</span></label>
        <Button pressed={state.log} onClick={() => set({ log: !state.log })}>Log</Button>
        {zoom && <Button icon="restore" onClick={() => setZoom(null)}>All steps</Button>}
        <span className="soft" role="status" data-tip={chosen ? undefined : "Select runs to see others"}>{said}</span>
      </div>
      <div className="charts-cards" tabIndex={0} role="region" aria-label="Chart cards">
        {ids.length === 0 && <Empty title="There are no runs to draw." />}
        {ids.length > 0 && keys.length === 0 && <Empty title="These runs have no metrics." code={'mlflow.log_metric("loss", 0.1, step=1)'} />}
        {keys.length > 0 && found.length === 0 && <Empty title="No metric has such a name." />}
        {ids.length > 0 && [...groups].map(([prefix, names]) => (
          <section key={prefix} aria-label={prefix || "Metrics"}>
            {(groups.size > 1 || prefix) && <h2 className="charts-prefix">{prefix || "Other"} <span className="soft">{names.length}</span></h2>}
            <div className="charts-grid">
              {names.map((name) => (
                <ChartCard key={name} metric={name} ids={ids} nameOf={nameOf} axis={state.x} log={state.log} smoothing={state.smooth} zoom={zoom} onZoom={setZoom} />
              ))}
            </div>
          </section>
        ))}
        {found.length > shown && <Button onClick={() => setShown(shown + FIRST)}>{counted(found.length - shown, "more chart")}</Button>}
      </div>
    </div>
  );
}

interface CardProps {
  metric: string;
  ids: readonly string[];
  nameOf: (id: string) => string;
  axis: Axis;
  log: boolean;
  smoothing: number;
  zoom: readonly [number, number] | null;
  onZoom: (zoom: readonly [number, number] | null) => void;
}

/** One chart; it reads its curves when it comes into sight. */
function ChartCard({ metric, ids, nameOf, axis, log, smoothing, zoom, onZoom }: CardProps) {
  const place = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!place.current) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && setSeen(true), { rootMargin: "200px" });
    observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  const curves = useCurves(seen ? { runIds: ids, metrics: [metric], axis, zoom, pixels: PIXELS } : null);
  const order = ids.join();
  const lines = useMemo((): Line[] => (curves.data?.curves ?? []).map((curve) => {
    const style = styleOf(Math.max(0, ids.indexOf(curve.runId)));
    return { id: curve.runId, name: nameOf(curve.runId), ...style, x: curve.x, y: curve.last, min: curve.min, max: curve.max, points: curve.points };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- names of runs do not change while their curves stand
  }), [curves.data, order]);
  const points = lines.reduce((sum, line) => sum + (line.points ?? 0), 0);
  const [asTable, setAsTable] = useState(false);
  return (
    <div ref={place}>
      <Card
        title={<span data-tip={metric}>{metric}</span>}
        actions={<><span className="soft figure chart-points">{lines.length > 0 ? counted(points, "point") : ""}</span><IconButton icon={asTable ? "chart" : "table"} label={`${metric}: ${asTable ? "as a chart" : "as a table"}`} onClick={() => setAsTable(!asTable)} /></>}
      >
        <div className="chart-slot">
          {curves.error ? <ErrorCard what="The curves could not be loaded" error={curves.error} onRetry={() => void curves.refetch()} />
            : !curves.data ? <Loading /> : lines.length === 0 ? <p className="soft">None of these runs has it.</p>
              : asTable ? <LastValues lines={lines} /> : <LineChart label={metric} lines={lines} log={log} smoothing={smoothing} axis={axis} zoom={zoom} onZoom={onZoom} sync="runs" />}
        </div>
      </Card>
    </div>
  );
}

/** What a chart shows, as numbers. */
function LastValues({ lines }: { lines: readonly Line[] }) {
  return (
    <div className="scroll chart-table" tabIndex={0} role="region" aria-label="Values">
      <table className="facts-table">
        <thead><tr><th>Run</th><th className="number">First</th><th className="number">Last</th><th className="number">Points</th></tr></thead>
        <tbody>{lines.map((line) => <tr key={line.id}><td>{line.name}</td><td className="number">{line.y[0]}</td><td className="number">{line.y[line.y.length - 1]}</td><td className="number">{line.points}</td></tr>)}</tbody>
      </table>
    </div>
  );
}

function grouped(keys: readonly string[]): Map<string, string[]> {
  const made = new Map<string, string[]>();
  for (const key of keys) {
    const prefix = key.includes("/") ? key.slice(0, key.lastIndexOf("/")) : "";
    made.set(prefix, [...(made.get(prefix) ?? []), key]);
  }
  return made;
}

function search(keys: readonly string[], text: string): { found: readonly string[]; problem: boolean } {
  if (!text) return { found: keys, problem: false };
  try {
    const expression = new RegExp(text, "i");
    return { found: keys.filter((key) => expression.test(key)), problem: false };
  } catch {
    return { found: keys, problem: true };
  }
}
