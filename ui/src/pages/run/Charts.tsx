import { useMemo, useState } from "react";
import { call } from "@/api/client";
import { refresh, useOperation } from "@/api/queries";
import { GetArrangement, SetArrangement, type Run } from "@/api/schema";
import { counted } from "@/base/format";
import type { StateOf } from "@/base/url";
import { ChartsBar } from "@/charts/ChartsBar";
import { styleOf } from "@/charts/colours";
import { grouped, search } from "@/charts/groups";
import { MetricCard, type DrawnRun } from "@/charts/MetricCard";
import { isSystem, pinnedFirst, type STATE } from "@/pages/run/state";
import { Button, IconButton } from "@/parts/Button";
import { Empty } from "@/parts/States";
import { toast, toastError } from "@/parts/Toast";

const FIRST = 24;

/** The metrics that are pinned in the run's experiment, and how to pin one or not. */
export function usePinned(experimentId: string): [readonly string[], (key: string) => void] {
  const arrangement = useOperation(GetArrangement, { experiment_id: experimentId }, { staleTime: 30_000 });
  const metrics = arrangement.data?.metrics ?? [];
  const set = (next: typeof metrics) => call(SetArrangement, { experiment_id: experimentId, metrics: next }).then(() => refresh(GetArrangement));
  const pin = (key: string) => {
    const there = metrics.some((metric) => metric.key === key);
    set(there ? metrics.filter((metric) => metric.key !== key) : [...metrics, { key }])
      .then(() => toast(there ? `Unpinned ${key}` : `Pinned ${key} for the experiment`, { undo: () => set(metrics) }), toastError);
  };
  return [metrics.map((metric) => metric.key), pin];
}

/** The runs that are drawn: the run itself, and faint the one it is compared with. */
export function useDrawn(run: Run, other: Run | undefined): readonly DrawnRun[] {
  const names = JSON.stringify([run, other].flatMap((one) => (one ? [[one.info.run_id, one.info.run_name ?? one.info.run_id]] : [])));
  return useMemo(() => (JSON.parse(names) as [string, string][]).map(([id, name], at) => ({ id, name, ...styleOf(at) })), [names]);
}

interface Props {
  run: Run;
  other: Run | undefined;
  state: StateOf<typeof STATE>;
  set: (change: Partial<StateOf<typeof STATE>>) => void;
  pinned: readonly string[];
  onPin: (key: string) => void;
  /** What of the machine was measured, instead of what the run logged. */
  system?: boolean;
}

/** Every curve of a run: those that are pinned, then a group for each prefix of their keys. */
export function Charts({ run, other, state, set, pinned, onPin, system = false }: Props) {
  const [zoom, setZoom] = useState<readonly [number, number] | null>(null);
  const [shown, setShown] = useState(FIRST);
  const runs = useDrawn(run, other);
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
                  actions={!system && <PinButton metric={name} pinned={pinned} onPin={onPin} />}
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

export function PinButton({ metric, pinned, onPin }: { metric: string; pinned: readonly string[]; onPin: (key: string) => void }) {
  const there = pinned.includes(metric);
  return <IconButton icon="pin" className="pin" pressed={there} label={there ? `Unpin ${metric}` : `Pin ${metric}`} onClick={() => onPin(metric)} />;
}
