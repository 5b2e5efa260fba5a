import { useMemo, useState } from "react";
import type { RunColumn } from "@/api/schema";
import { counted } from "@/base/format";
import type { StateOf } from "@/base/url";
import { PinButton, type Arranged } from "@/charts/arrangement";
import { MOST_LINES } from "@/charts/band";
import { ChartsBar } from "@/charts/ChartsBar";
import { stylesOf } from "@/charts/colours";
import { grouped, search } from "@/charts/groups";
import { MetricCard } from "@/charts/MetricCard";
import type { STATE } from "@/pages/runs/state";
import { Button } from "@/parts/Button";
import { Empty } from "@/parts/States";

type State = StateOf<typeof STATE>;

interface Props {
  ids: readonly string[];
  /** How many runs somebody has chosen; 0 when these are the first of the table. */
  chosen: number;
  total: number;
  nameOf: (id: string) => string;
  metrics: readonly RunColumn[];
  state: State;
  set: (change: Partial<State>, options?: { push?: boolean }) => void;
  arranged: Arranged;
  /** The run whose row is the active one. */
  active: string | null;
}

const FIRST = 24;

/** Charts of the chosen runs: a card a metric, grouped by what stands before the last slash of its key. */
export default function ChartsPane({ ids, chosen, total, nameOf, metrics, state, set, arranged, active }: Props) {
  const [zoom, setZoom] = useState<readonly [number, number] | null>(null);
  const [shown, setShown] = useState(FIRST);
  const keys = useMemo(() => metrics.filter((column) => column.kind === "metric").map((column) => column.key), [metrics]);
  const { found, problem } = useMemo(() => search(keys, state.find), [keys, state.find]);
  const { metrics: pinned, colours } = arranged;
  const groups = useMemo(() => {
    const seen = found.slice(0, shown);
    const first = pinned.filter((key) => found.includes(key));
    return [...(first.length ? [["Pinned", first] as const] : []), ...grouped(seen.filter((key) => !pinned.includes(key)))];
  }, [found, shown, pinned]);
  const order = ids.join();
  const runs = useMemo(() => {
    const styles = stylesOf(ids, colours);
    return ids.flatMap((id, at) => (styles[at] ? [{ id, name: nameOf(id), ...styles[at] }] : []));
  // eslint-disable-next-line react-hooks/exhaustive-deps -- names of runs do not change while their curves stand
  }, [order, colours]);
  const lined = useMemo(() => new Set(arranged.runs), [arranged.runs]);
  const all = chosen || total;
  const said = all > ids.length ? `First ${ids.length} of ${counted(all, "run")}` : counted(ids.length, "run");
  const drawn = ids.length > MOST_LINES ? `${said}: their range and median` : said;
  return (
    <div className="charts" role="region" aria-label="Charts">
      <ChartsBar state={state} problem={problem} zoom={zoom} onZoom={setZoom} onChange={set}>
        <span className="soft" role="status" data-tip={ids.length > MOST_LINES ? "Lines of single runs: point at them, or keep them by a click; pinned runs have theirs" : chosen ? undefined : "Select runs to see others"}>{drawn}</span>
      </ChartsBar>
      <div className="charts-cards" tabIndex={0} role="region" aria-label="Chart cards">
        {ids.length === 0 && <Empty title="There are no runs to draw." />}
        {ids.length > 0 && keys.length === 0 && <Empty title="These runs have no metrics." code={'mlflow.log_metric("loss", 0.1, step=1)'} />}
        {keys.length > 0 && found.length === 0 && <Empty title="No metric has such a name." />}
        {ids.length > 0 && groups.map(([prefix, names]) => (
          <section key={prefix} aria-label={prefix || "Metrics"}>
            {(groups.length > 1 || prefix) && <h2 className="charts-prefix">{prefix || "Other"} <span className="soft">{names.length}</span></h2>}
            <div className="charts-grid">
              {names.map((name) => (
                <MetricCard key={name} metric={name} runs={runs} axis={state.x} log={state.log} smoothing={state.smooth} zoom={zoom} onZoom={setZoom} lined={lined} active={active} actions={<PinButton metric={name} pinned={pinned} onPin={arranged.pinMetric} />} />
              ))}
            </div>
          </section>
        ))}
        {found.length > shown && <Button onClick={() => setShown(shown + FIRST)}>{counted(found.length - shown, "more chart")}</Button>}
      </div>
    </div>
  );
}
