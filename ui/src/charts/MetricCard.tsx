import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { counted, exact, number } from "@/base/format";
import { MOST_LINES } from "@/charts/band";
import { useCurves, type Axis } from "@/charts/curves";
import { LineChart, type Line } from "@/charts/LineChart";
import { IconButton } from "@/parts/Button";
import { Card, ErrorCard, Loading } from "@/parts/States";
import "@/charts/charts.css";

/** A run as it is drawn: its name, its colour and dashes. */
export interface DrawnRun {
  id: string;
  name: string;
  colour: string;
  dash: readonly number[];
}

interface Props {
  metric: string;
  /** The runs whose curves are drawn; memoise it. */
  runs: readonly DrawnRun[];
  axis: Axis;
  log: boolean;
  smoothing: number;
  zoom: readonly [number, number] | null;
  onZoom: (zoom: readonly [number, number] | null) => void;
  /** The run that stands out; the others are faint. */
  highlighted?: string | null;
  /** The runs that are drawn as lines even where there are so many that they are a band. */
  lined?: ReadonlySet<string>;
  /** The run that is looked at elsewhere: it has its line in a band. */
  active?: string | null;
  /** More buttons in its head. */
  actions?: ReactNode;
}

const PIXELS = 600;

/** The chart of a metric; it reads its curves when it comes into sight. */
export function MetricCard({ metric, runs, axis, log, smoothing, zoom, onZoom, highlighted, lined, active = null, actions }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!place.current) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && setSeen(true), { rootMargin: "200px" });
    observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  const curves = useCurves(seen ? { runIds: runs.map((run) => run.id), metrics: [metric], axis, zoom, pixels: PIXELS } : null);
  const lines = useMemo((): Line[] => (curves.data?.curves ?? []).flatMap((curve) => {
    const run = runs.find(({ id }) => id === curve.runId);
    return run ? [{ ...run, x: curve.x, y: curve.last, min: curve.min, max: curve.max, points: curve.points }] : [];
  }), [curves.data, runs]);
  const points = lines.reduce((sum, line) => sum + (line.points ?? 0), 0);
  const [asTable, setAsTable] = useState(false);
  return (
    <div ref={place}>
      <Card
        title={<span data-tip={metric}>{metric}</span>}
        actions={<>
          <span className="soft figure chart-points">{lines.length > 0 ? counted(points, "point") : ""}</span>
          {actions}
          <IconButton icon={asTable ? "chart" : "table"} label={`${metric}: ${asTable ? "as a chart" : "as a table"}`} onClick={() => setAsTable(!asTable)} />
        </>}
      >
        <div className="chart-slot">
          {curves.error ? <ErrorCard what="The curves could not be loaded" error={curves.error} onRetry={() => void curves.refetch()} />
            : !curves.data ? <Loading /> : lines.length === 0 ? <p className="soft">None of these runs has it.</p>
              : asTable ? <Values metric={metric} lines={lines} axis={axis} />
                : <LineChart label={metric} lines={lines} log={log} smoothing={smoothing} axis={axis} zoom={zoom} onZoom={onZoom} sync="runs" highlighted={highlighted ?? (lines.length > MOST_LINES ? active : null)} lined={lined} />}
        </div>
      </Card>
    </div>
  );
}

const MOST = 1000;

/** What a chart shows, as numbers: the points of one line, the ends of several. */
function Values({ metric, lines, axis }: { metric: string; lines: readonly Line[]; axis: Axis }) {
  const [only] = lines;
  return (
    <div className="scroll chart-table" tabIndex={0} role="region" aria-label={`${metric}: values`}>
      {lines.length === 1 && only ? (
        <table className="facts-table">
          <thead><tr><th className="number">{axis === "step" ? "Step" : axis === "time" ? "Time" : "Seconds"}</th><th className="number">Value</th></tr></thead>
          <tbody>{Array.from({ length: Math.min(MOST, only.x.length) }, (_, at) => (
            <tr key={at}><td className="number">{axis === "time" ? new Date((only.x[at] ?? 0) * 1000).toLocaleString() : number(only.x[at])}</td><td className="number" data-tip={exact(only.y[at])}>{number(only.y[at])}</td></tr>
          ))}</tbody>
        </table>
      ) : (
        <table className="facts-table">
          <thead><tr><th>Run</th><th className="number">First</th><th className="number">Last</th><th className="number">Points</th></tr></thead>
          <tbody>{lines.map((line) => <tr key={line.id}><td>{line.name}</td><td className="number" data-tip={exact(line.y[0])}>{number(line.y[0])}</td><td className="number" data-tip={exact(line.y[line.y.length - 1])}>{number(line.y[line.y.length - 1])}</td><td className="number">{line.points}</td></tr>)}</tbody>
        </table>
      )}
    </div>
  );
}
