import { Suspense, useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useOperation } from "@/api/queries";
import { GetExperiment } from "@/api/schema";
import { count, counted } from "@/base/format";
import { useKeys } from "@/base/keys";
import { useUrlState } from "@/base/url";
import { Page } from "@/frame/Page";
import { path, useGo } from "@/frame/router";
import { useComparison, type Comparison } from "@/pages/compare/data";
import { PlotArea } from "@/pages/compare/PlotArea";
import { RunsGrid } from "@/pages/compare/RunsGrid";
import { STATE, type Tab } from "@/pages/compare/state";
import { Button } from "@/parts/Button";
import { FilterBox } from "@/parts/FilterBox";
import { RUN_WORDS } from "@/parts/filter";
import { Boundary, Empty, Loaded } from "@/parts/States";
import { Switch } from "@/parts/Tabs";
import { Chip } from "@/parts/Values";
import { toast } from "@/parts/Toast";
import { lazily } from "@/parts/lazily";
import { brushText, kept as keptBy, readBrush, type Brush } from "@/plots/brush";
import "@/pages/compare/compare.css";

const AddRuns = lazily(() => import("@/pages/compare/AddRuns"));

export type State = ReturnType<typeof useUrlState<typeof STATE>>[0];
export type SetState = ReturnType<typeof useUrlState<typeof STATE>>[1];

const LONG = 1500;
const FEW = 10;

export default function Compare() {
  const [state, set, { pending }] = useUrlState(STATE);
  const [adding, setAdding] = useState(false);
  // A link with many runs is kept by the server, so that the address can be shared.
  const { sel, exp, q } = state;
  useEffect(() => {
    if (!pending && location.search.length > LONG) set({ sel });
  }, [pending, sel, set]);
  const wanted = useMemo(() => ({ sel, exp, q }), [sel, exp, q]);
  const chosen = useMemo(
    () => [...new Set([...state.axes, state.x, state.y, state.z, state.colour, state.by].filter(Boolean))].sort(),
    [state.axes, state.x, state.y, state.z, state.colour, state.by],
  );
  const empty = !pending && sel.length === 0 && exp.length === 0;
  const query = useComparison(wanted, chosen, !pending && !empty);
  const [only] = query.data?.experimentIds.length === 1 ? query.data.experimentIds : [];
  const experiment = useOperation(GetExperiment, only ? { experiment_id: only } : null, { staleTime: 60_000 });
  const way: [string, string][] = [["/", "Experiments"], ...(only ? [[path`/exp/${only}`, experiment.data?.experiment.name ?? only] as [string, string]] : [])];
  const total = query.data?.runs.length;
  return (
    <Page
      title="Compare" way={way}
      count={total === undefined ? undefined : query.data && query.data.total > total ? `${count(total)} of ${counted(query.data.total, "run")}` : counted(total, "run")}
      middle={exp.length > 0 && sel.length === 0 ? <FilterBox label="Filter runs" value={q} vocabulary={RUN_WORDS} problem={query.problem} placeholder="metrics.loss < 0.1" onChange={(text, done) => set({ q: text }, { push: done })} /> : undefined}
      actions={<Button icon="add" onClick={() => setAdding(true)}>Add runs</Button>}
    >
      {empty || query.nothing ? <Empty title={query.nothing ? "None of these runs exists any more." : "No runs are chosen."}>Select runs in the table of an experiment and press <kbd>c</kbd>, or add runs here.</Empty>
        : <Loaded query={query} what="The comparison">{(data) => <Compared comparison={data} state={state} set={set} />}</Loaded>}
      {adding && <Suspense fallback={null}><AddRuns there={query.data?.runs.map((run) => run.id) ?? []} onClose={() => setAdding(false)} onAdd={(ids) => set({ sel: [...new Set([...query.data?.runs.map((run) => run.id) ?? [], ...ids])], exp: [], q: "" }, { push: true })} /></Suspense>}
    </Page>
  );
}

interface ComparedProps {
  comparison: Comparison;
  state: State;
  set: SetState;
}

function Compared({ comparison, state, set }: ComparedProps) {
  const go = useGo();
  const { runs } = comparison;
  const active = useRef("");
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  // While a brush is being moved, it is only here; the address has what was let go.
  const [moving, setMoving] = useState<Brush | null>(null);
  const brush = useMemo(() => {
    const keys = state.brush.map((text) => text.replace(/\|[^|]*\|[^|]*$/, ""));
    return moving ?? readBrush(keys.map((key) => comparison.dimension(key)), state.brush);
  }, [moving, state.brush, comparison]);
  const limited = useMemo(() => [...brush.keys()].map((key) => comparison.dimension(key)), [brush, comparison]);
  const kept = useMemo(() => keptBy(limited, brush, runs.length), [limited, brush, runs.length]);
  const shown = useDeferredValue(kept);
  const onBrush = useCallback((next: Brush, done: boolean) => {
    setMoving(done ? null : next);
    if (done) set({ brush: brushText([...next.keys()].map((key) => comparison.dimension(key)), next) }, { push: true });
  }, [set, comparison]);
  const reference = useMemo(() => {
    const at = runs.findIndex((run) => run.id === state.ref);
    return at < 0 && state.ref === "" && runs.length <= FEW ? 0 : at;
  }, [runs, state.ref]);
  const setReference = useCallback((id: string) => set({ ref: id }, { push: true }), [set]);
  const all = useMemo(() => runs.map((run) => run.id), [runs]);
  const keep = useCallback((ids: readonly string[]) => {
    const { sel, exp, q } = state;
    set({ sel: ids, exp: [], q: "" }, { push: true });
    setSelected(new Set());
    toast(`${counted(all.length - ids.length, "run")} removed from the comparison`, { undo: () => Promise.resolve(set({ sel, exp, q })) });
  }, [set, state, all.length]);
  const remove = useCallback((ids: readonly string[]) => keep(all.filter((id) => !ids.includes(id))), [keep, all]);
  const open = useCallback((id: string, event: { ctrlKey: boolean; metaKey: boolean }) => go(path`/run/${id}`, event), [go]);
  const onSort = useCallback((sort: string) => set({ sort }), [set]);
  const onActive = useCallback((id: string) => {
    active.current = id;
  }, []);
  useKeys([
    { keys: "r", what: "Compare the others with this run", group: "Comparison", run: () => setReference(active.current || (runs[shown[0] ?? 0]?.id ?? "")) },
    { keys: "v", what: "Next plot", group: "Comparison", run: () => set({ tab: nextTab(state.tab) }, { push: true }) },
    { keys: "Escape", what: "Close or clear", group: "Table", run: () => (selected.size > 0 ? setSelected(new Set()) : onBrush(new Map(), true)) },
  ]);
  const columns = state.all ? comparison.columns : comparison.varying;
  const hidden = comparison.columns.length - comparison.varying.length;
  return (
    <div className="compare">
      <Boundary what="The plot could not be shown"><PlotArea comparison={comparison} state={state} set={set} kept={kept} brush={brush} onBrush={onBrush} reference={reference} /></Boundary>
      <div className="compare-bar">
        <h2 role="status">{kept.length < runs.length ? `${count(kept.length)} of ${counted(runs.length, "run")}` : counted(runs.length, "run")}</h2>
        {kept.length < runs.length && <Chip icon="filter" onRemove={() => onBrush(new Map(), true)} removeLabel="Clear all limits">{counted(brush.size, "limit")}</Chip>}
        {kept.length < runs.length && kept.length > 0 && <Button className="small" onClick={() => keep(kept.flatMap((at) => all[at] ?? []))}>Keep only these</Button>}
        {selected.size > 0 && <><Button className="small" onClick={() => keep([...selected])}>Keep the {count(selected.size)} selected</Button><Button className="small" onClick={() => remove([...selected])}>Remove them</Button></>}
        <span className="grow" />
        <span className="soft">{reference >= 0 ? "Tinted: other than the reference run" : <>Press <kbd>r</kbd> on a run to tint what differs from it</>}</span>
        <Button className="small" pressed={!state.all} tip={`${counted(hidden, "column")} in which all runs agree`} onClick={() => set({ all: !state.all })}>Varying only</Button>
        <Switch label="Layout of the table" options={[["rows", "Runs as rows"], ["columns", "Runs as columns"]]} value={state.turned ? "columns" : "rows"} onChange={(side) => set({ turned: side === "columns" })} />
      </div>
      <div className="compare-grid">
        <RunsGrid
          comparison={comparison} kept={shown} columns={columns} reference={reference} turned={state.turned} sort={state.sort} onSort={onSort} selected={selected} onSelect={setSelected}
          onActive={onActive} onReference={setReference} onRemove={remove} onOpen={open}
        />
      </div>
    </div>
  );
}

const ORDER: readonly Tab[] = ["parallel", "scatter", "contour", "box", "lines", "importance"];

function nextTab(tab: Tab): Tab {
  return ORDER[(ORDER.indexOf(tab) + 1) % ORDER.length] ?? "parallel";
}
