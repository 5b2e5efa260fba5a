import { useState } from "react";
import type { Run } from "@/api/schema";
import { counted } from "@/base/format";
import type { StateOf } from "@/base/url";
import { PinButton, type Arranged } from "@/charts/arrangement";
import { MetricCard } from "@/charts/MetricCard";
import { useDrawn } from "@/pages/run/Charts";
import { FactsPane } from "@/pages/run/FactsPane";
import { Metrics } from "@/pages/run/Metrics";
import { isSystem, pinnedFirst, type STATE } from "@/pages/run/state";
import { Button } from "@/parts/Button";
import { Boundary, Empty } from "@/parts/States";

const CHARTS = 6;

interface Props {
  run: Run;
  other: Run | undefined;
  experiment: string | undefined;
  state: StateOf<typeof STATE>;
  arranged: Arranged;
  onAll: () => void;
}

/** A run on one screen: what is known of it, its metrics, the first of its curves. */
export function Overview({ run, other, experiment, state, arranged, onAll }: Props) {
  const { metrics: pinned, pinMetric } = arranged;
  const [zoom, setZoom] = useState<readonly [number, number] | null>(null);
  const runs = useDrawn(run, other, arranged.colours);
  const metrics = (run.data?.metrics ?? []).filter((metric) => !isSystem(metric.key));
  // What has only one value stands in the table.
  const curves = pinnedFirst(metrics.filter((metric) => metric.step !== 0 || pinned.includes(metric.key)).map((metric) => metric.key).sort(), pinned);
  return (
    <div className="run-overview">
      <FactsPane run={run} other={other} experiment={experiment} />
      <div className="run-main scroll" tabIndex={0} role="region" aria-label="Metrics and charts">
        {metrics.length === 0 && !other && <Empty title="This run has no metrics." code={'mlflow.log_metric("loss", 0.1, step=1)'} />}
        <Boundary what="The metrics could not be shown"><Metrics run={run} other={other} pinned={pinned} onPin={pinMetric} /></Boundary>
        <div className="charts-grid">
          {curves.slice(0, CHARTS).map((metric) => (
            <MetricCard
              key={metric} metric={metric} runs={runs} axis={state.x} log={state.log} smoothing={state.smooth} zoom={zoom} onZoom={setZoom}
              highlighted={other ? run.info.run_id : null} actions={<PinButton metric={metric} pinned={pinned} onPin={pinMetric} />}
            />
          ))}
        </div>
        {curves.length > CHARTS && <div><Button icon="chart" onClick={onAll}>All {counted(curves.length, "chart")}</Button></div>}
      </div>
    </div>
  );
}
