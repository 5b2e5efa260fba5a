import { useMemo, useState } from "react";
import { count } from "@/base/format";
import { styleOf } from "@/charts/colours";
import { MetricCard, type DrawnRun } from "@/charts/MetricCard";
import { HEIGHT, type PlotProps } from "@/pages/compare/PlotArea";
import { Button } from "@/parts/Button";
import { Empty } from "@/parts/States";
import { Switch } from "@/parts/Tabs";
import { KeyPicker } from "@/plots/KeyPicker";

const MOST = 200;
const NAMED = 10;
const CHARTS = 3;

/** How metrics went on: a line a run, of the runs that lie within the limits. */
export default function LinesTab({ comparison, state, set, kept, reference, chosen }: PlotProps) {
  const [zoom, setZoom] = useState<readonly [number, number] | null>(null);
  const keys = useMemo(() => comparison.keys.filter((key) => key.id.startsWith("metrics.")), [comparison]);
  const metrics = state.metrics.length > 0 ? state.metrics : chosen.metrics.slice(0, CHARTS);
  const drawn = useMemo(() => kept.slice(0, MOST).flatMap((at): DrawnRun[] => {
    const run = comparison.runs[at];
    return run ? [{ ...run, ...styleOf(at) }] : [];
  }), [comparison, kept]);
  return (
    <>
      <div className="plot-tools">
        <KeyPicker label="Metrics" keys={keys} chosen={metrics} several onChange={(next) => set({ metrics: next })} />
        <Switch label="Axis" options={[["step", "Step"], ["time", "Time"], ["relative", "Relative"]]} value={state.axis} onChange={(axis) => {
          setZoom(null);
          set({ axis });
        }} />
        <label className="line"><span className="soft">Smooth</span><input type="range" min="0" max="0.99" step="0.01" value={state.smooth} aria-label="Smoothing" onChange={(event) => set({ smooth: Number(event.target.value) })} /><span className="figure charts-smooth">{state.smooth || "off"}</span></label>
        <Button pressed={state.log.includes("lines")} onClick={() => set({ log: state.log.includes("lines") ? state.log.filter((key) => key !== "lines") : [...state.log, "lines"] })}>Log</Button>
        {zoom && <Button icon="restore" onClick={() => setZoom(null)}>All of the axis</Button>}
        {kept.length > MOST ? <span className="soft">The first {count(MOST)} of {count(kept.length)} runs</span>
          : drawn.length <= NAMED && <span className="legend">{drawn.map((run) => <span key={run.id} className="legend-item"><span className="swatch" style={{ background: run.colour }} /><span className="cut" data-tip={run.name}>{run.name}</span></span>)}</span>}
      </div>
      {metrics.length === 0 ? <div className="plot-empty"><Empty title="Choose metrics to draw." /></div>
        : <div className="plot-charts scroll" style={{ height: HEIGHT }} tabIndex={0} role="region" aria-label="Charts of metrics">
          {metrics.map((column) => (
            <MetricCard key={column} metric={column.slice(column.indexOf(".") + 1)} runs={drawn} axis={state.axis} log={state.log.includes("lines")} smoothing={state.smooth} zoom={zoom} onZoom={setZoom} highlighted={state.ref ? comparison.runs[reference]?.id ?? null : null} />
          ))}
        </div>}
    </>
  );
}
