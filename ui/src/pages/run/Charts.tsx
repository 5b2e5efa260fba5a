import { useMemo, useState } from "react";
import type { Run } from "@/api/schema";
import { counted } from "@/base/format";
import type { StateOf } from "@/base/url";
import { PinButton, type Arranged } from "@/charts/arrangement";
import { ChartsBar } from "@/charts/ChartsBar";
import { stylesOf } from "@/charts/colours";
import { grouped, search } from "@/charts/groups";
import { MetricCard, type DrawnRun } from "@/charts/MetricCard";
import { isSystem, pinnedFirst, type STATE } from "@/pages/run/state";
import { Button } from "@/parts/Button";
import { Empty } from "@/parts/States";

const FIRST = 24;

/** The runs that are drawn: the run itself, and faint the one it is compared with. */
export function useDrawn(run: Run, other: Run | undefined, colours: ReadonlyMap<string, number>): readonly DrawnRun[] {
  const names = JSON.stringify([run, other].flatMap((one) => (one ? [[one.info.run_id, one.info.run_name ?? one.info.run_id]] : [])));
  return useMemo(() => {
    const runs = JSON.parse(names) as [string, string][];
    const styles = stylesOf(runs.map(([id]) => id), colours);
    return runs.flatMap(([id, name], at) => (styles[at] ? [{ id, name, ...styles[at] }] : []));
  }, [names, colours]);
}

interface Props {
  run: Run;
  other: Run | undefined;
  state: StateOf<typeof STATE>;
  set: (change: Partial<StateOf<typeof STATE>>) => void;
  arranged: Arranged;
  /** What of the machine was measured, instead of what the run logged. */
  system?: boolean;
}

/** Every curve of a run: those that are pinned, then a group for each prefix of their keys. */
export function Charts({ run, other, state, set, arranged, system = false }: Props) {
  const { metrics: pinned, pinMetric } = arranged;
  const [zoom, setZoom] = useState<readonly [number, number] | null>(null);
  const [shown, setShown] = useState(FIRST);
  const runs = useDrawn(run, other, arranged.colours);
  const keys = useMemo(() => (run.data?.metrics ?? []).map((metric) => metric.key).filter((key) => isSystem(key) === system).sort(), [run, system]);
  const { found, problem } = useMemo(() => search(pinnedFirst(keys, pinned), state.find), [keys, pinned, state.find]);
  const groups = useMemo(() => {
    const seen = found.slice(0, shown);
    const first = seen.filter((key) => pinned.includes(key));
    return [...(first.length ? [["Pinned", first] as const] : []), ...grouped(seen.filter((key) => !pinned.includes(key)))];
  }, [found, shown, pinned]);
  if (keys.length === 0) {
    return system
      ? <Empty title="This run measured nothing of its machine." code={"mlflow.enable_system_metrics_logging()"} />
      : <Empty title="This run has no metrics." code={'mlflow.log_metric("loss", 0.1, step=1)'} />;
  }
  return (
    <div className="run-charts">
      <ChartsBar state={state} onChange={set} problem={problem} zoom={zoom} onZoom={setZoom}>
        <span className="soft" role="status">{counted(found.length, "chart")}</span>
      </ChartsBar>
      <div className="run-cards scroll" tabIndex={0} role="region" aria-label="Charts">
        {found.length === 0 && <Empty title="No metric has such a name." />}
        {groups.map(([prefix, names]) => (
          <section key={prefix} aria-label={prefix || "Metrics"}>
            {(groups.length > 1 || prefix) && <h2 className="charts-prefix">{prefix || "Other"} <span className="soft">{names.length}</span></h2>}
            <div className="charts-grid">
              {names.map((name) => (
                <MetricCard
                  key={name} metric={name} runs={runs} axis={state.x} log={state.log} smoothing={state.smooth} zoom={zoom} onZoom={setZoom} highlighted={other ? run.info.run_id : null}
                  actions={!system && <PinButton metric={name} pinned={pinned} onPin={pinMetric} />}
                />
              ))}
            </div>
          </section>
        ))}
        {found.length > shown && <Button onClick={() => setShown(shown + FIRST)}>{counted(found.length - shown, "more chart")}</Button>}
      </div>
    </div>
  );
}
