import { Suspense, useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { call } from "@/api/client";
import { useEvents } from "@/api/events";
import { fetched, queryClient, refresh, useOperation } from "@/api/queries";
import { GetArrangement, GetExperiment, ListColumns, QueryRuns } from "@/api/schema";
import { counted } from "@/base/format";
import { useKeys } from "@/base/keys";
import { useUrlState } from "@/base/url";
import { useArrangement } from "@/charts/arrangement";
import { stylesOf } from "@/charts/colours";
import { CURVES_KEY } from "@/charts/curves";
import { Page } from "@/frame/Page";
import { path, useGo } from "@/frame/router";
import { columnsOf, defaultColumns, digitsIn, inOrder, NAME, PROGRESS, type Doing, type Facts } from "@/pages/runs/columns";
import { useLooked } from "@/pages/runs/looked";
import { useKept } from "@/pages/runs/kept";
import { useRunRows, type RunRow, type RunsRequest } from "@/pages/runs/rows";
import { useSelection } from "@/pages/runs/selection";
import { isSpread, kindOf, orderOf, plainOf, STATE } from "@/pages/runs/state";
import { Toolbar } from "@/pages/runs/Toolbar";
import { NewRuns } from "@/pages/runs/Views";
import { FilterBox } from "@/parts/FilterBox";
import { RUN_WORDS, withCondition, type KeyKind } from "@/parts/filter";
import { Boundary, Empty, ErrorCard, Loading } from "@/parts/States";
import { Table, type TableHandle } from "@/parts/Table";
import { lazily } from "@/parts/lazily";
import "@/pages/runs/runs.css";

// The table comes first; what is opened beside it comes when it is opened.
const ChartsPane = lazily(() => import("@/pages/runs/ChartsPane"));
const ColumnPicker = lazily(() => import("@/pages/runs/ColumnPicker"));
const Peek = lazily(() => import("@/pages/runs/Peek"));
const Spread = lazily(() => import("@/pages/runs/Spread"));
const ColourDialog = lazily(() => import("@/pages/runs/ColourDialog"));
const actions = () => import("@/pages/runs/actions");
const RunActions = lazily(() => actions().then((module) => ({ default: module.RunActions })));

const STATUS = "attributes.status";
const WITH_STATUS = [PROGRESS];
const NOTHING: readonly string[] = [];

/** How many keys are read for the default columns and the charts; the picker reads all. */
export const COLUMNS_READ = 2000;
const DRAWN = 10;
const MOST_DRAWN = 200;
const MOST_IN_ADDRESS = 20;
const SETTLED_MS = 800;
// Charts of running runs are read again this often at most.
const REDRAW_MS = 2000;

export default function Runs({ id }: { id: string }) {
  const [state, set, { pending }] = useUrlState(STATE);
  const [kept, keep] = useKept(id);
  const go = useGo();
  const table = useRef<TableHandle>(null);
  const [expanded, setExpanded] = useState<ReadonlySet<string> | "all">(new Set());
  const [picking, setPicking] = useState(false);
  const [peeked, setPeeked] = useState<string | null>(null);
  const [coloured, setColoured] = useState<RunRow | null>(null);
  const [active, setActive] = useState<string | null>(null);
  const [looked, look] = useLooked();
  const [coming, setComing] = useState(0);
  const experiment = useOperation(GetExperiment, { experiment_id: id });
  const keys = useOperation(ListColumns, { experiment_ids: [id], limit: COLUMNS_READ }, { staleTime: 30_000 });
  // Metrics come first: where they fill the answer, parameters and tags are asked for by themselves.
  const filled = (keys.data?.total ?? 0) > COLUMNS_READ;
  const others = useOperation(ListColumns, filled ? { experiment_ids: [id], kinds: ["param", "tag"], limit: COLUMNS_READ } : null, { staleTime: 30_000 });
  const found = useMemo(() => {
    const first = keys.data?.columns ?? [];
    return filled ? [...first.filter((column) => column.kind === "metric"), ...(others.data?.columns ?? [])] : first;
  }, [keys.data, others.data, filled]);
  const known = useMemo(() => new Map(found.map((column) => [`${kindOf(column.kind)}.${column.key}`, column])), [found]);
  const grouped = state.group;

  const chosen = state.cols.length > 0 ? state.cols : kept.cols;
  const ids = useMemo(() => {
    const base = chosen.length > 0 ? chosen : defaultColumns(found, state.varying);
    const shown = state.varying ? base.filter((column) => !known.has(column) || known.get(column)?.distinct !== 1) : base;
    return grouped.length > 0
      ? [...grouped, ...shown.filter((column) => column.startsWith("metrics.")).slice(0, 20).flatMap((column) => [`mean(${column})`, `min(${column})`, `max(${column})`])]
      : shown.filter((column) => column !== NAME);
  }, [chosen, found, state.varying, known, grouped]);
  const pinned = useMemo(() => new Set(grouped.length > 0 ? [] : kept.pinned), [grouped, kept.pinned]);
  const asked = useMemo(() => inOrder(ids, pinned), [ids, pinned]);
  const beside = grouped.length === 0 && ids.includes(STATUS) ? WITH_STATUS : NOTHING;

  const filter = useDeferredValue(state.q);
  const request = useMemo((): RunsRequest => ({
    experiment_ids: [id], ...(filter ? { filter } : {}), order_by: orderOf(state.sort), view_type: state.stage === "deleted" ? "DELETED_ONLY" : "ACTIVE_ONLY",
    ...(grouped.length > 0 ? { group_by: [...grouped], order_by: orderOf(state.sort, grouped) } : { pinned_first: true }),
    ...(state.tree && grouped.length === 0 ? { tree: true, expanded: expanded === "all" ? ["*"] : [...expanded] } : {}),
  }), [id, filter, state.sort, state.stage, state.tree, grouped, expanded]);
  const rows = useRunRows(request, asked, beside, !pending && (keys.data !== undefined || keys.error !== null) && (!filled || others.data !== undefined || others.error !== null));
  const { rowAt, version, patch, renew, loaded } = rows;
  // After the first rows, which the server puts in order by itself.
  const arranged = useArrangement(id, rows.total !== undefined);
  const pins = useRef<string>(null);
  const pinsNow = arranged.settled ? arranged.runs.join() : null;
  useEffect(() => {
    if (pinsNow === null || pins.current === pinsNow) return;
    if (pins.current !== null) renew();
    pins.current = pinsNow;
  }, [pinsNow, renew]);
  const total = rows.total ?? 0;

  const written = useCallback((next: ReadonlySet<string>) => set({ sel: next.size <= MOST_IN_ADDRESS ? [...next] : [] }), [set]);
  const tableKey = JSON.stringify([request.experiment_ids, request.filter, request.view_type]);
  const selection = useSelection(state.sel, tableKey, loaded, version, rows.matched ?? 0, written);
  const selected = selection.rows;
  const firstRuns = useMemo(() => new Set(arranged.runs), [arranged.runs]);
  const drawn = useMemo(() => {
    const first = (most: number) => Array.from({ length: Math.min(most, total) }, (_, at) => rowAt(at)).flatMap((row) => (row && !row.count ? [row.id] : []));
    if (selection.everything) return first(MOST_DRAWN).filter((run) => !selection.except.has(run));
    if (selected.size === 0) return first(DRAWN);
    return [...new Set([...first(firstRuns.size).filter((run) => firstRuns.has(run)), ...selected])].slice(0, MOST_DRAWN);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `version` stands for the rows
  }, [selection.everything, selection.except, selected, version, total, firstRuns]);
  const drawnKey = drawn.join();
  const colours = useMemo(() => {
    const made = new Map([...arranged.colours].map(([run]) => [run, stylesOf([run], arranged.colours)[0]?.colour ?? ""]));
    if (state.view === "table") return made;
    const shown = drawnKey.split(",");
    stylesOf(shown, arranged.colours).forEach((style, at) => made.set(shown[at] ?? "", style.colour));
    return made;
  }, [drawnKey, state.view, arranged.colours]);

  const recount = useRef(0);
  const redrawing = useRef(0);
  const redraw = () => {
    redrawing.current ||= window.setTimeout(() => {
      redrawing.current = 0;
      void queryClient.invalidateQueries({ queryKey: [CURVES_KEY] });
    }, REDRAW_MS);
  };
  useEvents(rows.total === undefined ? null : { experimentIds: [id], columns: grouped.length > 0 ? [] : [...asked.slice(0, 24), ...beside] }, (changes) => {
    if (changes.reset) renew();
    if ((changes.changes ?? []).some((change) => change.kind === "experiment")) void refresh(GetArrangement);
    if (changes.cells) patch(changes.cells.ids, changes.cells.cols);
    if ((changes.changes ?? []).some((change) => drawn.includes(change.id))) redraw();
    const there = new Set(loaded());
    const runs = (changes.changes ?? []).filter((change) => change.kind === "run");
    if (runs.length === 0 || runs.every((run) => there.has(run.id))) return;
    clearTimeout(recount.current);
    recount.current = window.setTimeout(() => {
      void call(QueryRuns, { ...request, columns: [], offset: 0, limit: 1 }).then((now) => setComing(now.total - total), () => undefined);
    }, SETTLED_MS);
  });
  useEffect(() => () => {
    clearTimeout(recount.current);
    clearTimeout(redrawing.current);
  }, []);
  const showNew = () => {
    setComing(0);
    renew();
    void keys.refetch();
  };

  const setColumns = (cols: readonly string[]) => {
    keep({ cols });
    set({ cols });
  };
  const doing: Doing = {
    sort: (sort) => set({ sort }, { push: true }),
    filter: (condition) => set({ q: withCondition(state.q, condition) }, { push: true }),
    hide: (column) => setColumns(ids.filter((other) => other !== column)),
    replace: (column, by) => setColumns([...new Set(ids.map((other) => (other === column ? by : other)))]),
    heat: (column) => keep({ heat: toggled(kept.heat, column) }),
    pin: (column) => keep({ pinned: toggled(kept.pinned, column) }),
    group: (column) => set({ group: toggled(state.group, column) }, { push: true }),
    pinRun: (row) => arranged.pinRun(row.id, String(row.value(NAME) ?? row.id)),
    colour: setColoured,
    expand: (run) => setExpanded((before) => new Set(before === "all" ? [run] : toggled([...before], run))),
  };
  const facts: Facts = {
    known, sort: state.sort, widths: kept.widths, heat: new Set(kept.heat), pinned, firstRuns, expanded, tree: state.tree, grouped, colours,
    digits: digitsIn(rowAt, total),
  };
  const narrow = state.view === "split" || state.view === "charts";
  const columns = columnsOf(state.view === "charts" ? [] : state.view === "split" ? ids.slice(0, 6) : ids, facts, doing);
  const open = (row: RunRow, event: { ctrlKey: boolean; metaKey: boolean }) => {
    if (row.count) set({ q: withCondition(state.q, row.filter), group: [] }, { push: true });
    else go(path`/run/${row.id}`, event);
  };
  useKeys([
    { keys: "v", what: "Table, charts or both", group: "Runs", run: () => set({ view: next(state.view) }, { push: true }) },
    { keys: ".", what: "Show new runs", group: "Runs", run: showNew },
    { keys: "Escape", what: "Close or clear", group: "Table", run: () => (peeked ? setPeeked(null) : selection.clear()) },
  ]);
  const keysOf = useCallback(async (kind: KeyKind, begun: string) => {
    const found = await fetched(ListColumns, { experiment_ids: [id], kinds: [kind], match: begun.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), limit: 20 });
    return (found.columns ?? []).map((column) => column.key);
  }, [id]);

  const onActive = (row: RunRow | undefined) => {
    if (!row || row.count) return;
    setActive(row.id);
    if (peeked) setPeeked(row.id);
  };
  const rowKeys = grouped.length > 0 ? [] : [{ keys: "p", what: "Pin the run", run: doing.pinRun }];
  const name = experiment.data?.experiment.name ?? id;
  const counts = rows.total === undefined ? undefined : grouped.length > 0 ? `${counted(total, "group")} of ${counted(rows.matched ?? 0, "run")}` : counted(rows.matched ?? total, "run");
  const list = (
    <Table
      ref={table} label={grouped.length > 0 ? "Groups of runs" : "Runs"} main columns={columns} count={total} rowAt={rowAt} keyOf={(row) => row.id} onRange={rows.onRange}
      onOpen={open} onPeek={(row) => !row.count && setPeeked(peeked === row.id ? null : row.id)} onActive={onActive} rowKeys={rowKeys} onHead={look}
      selected={grouped.length > 0 ? undefined : selected} onSelect={grouped.length > 0 ? undefined : selection.select} onSelectAll={grouped.length > 0 ? undefined : selection.all} everything={selection.everything}
      onResize={(column, width) => keep({ widths: width > 0 ? { ...kept.widths, [column]: width } : Object.fromEntries(Object.entries(kept.widths).filter(([other]) => other !== column)) })}
      empty={rows.total === 0 && (state.q ? <Empty title="No run fits the filter." /> : state.stage === "deleted" ? <Empty title="No run of this experiment is in the trash." />
        : <Empty title="This experiment has no runs yet. Log the first one:" code={`import millstream as mlflow\n\nmlflow.set_experiment("${name}")\nwith mlflow.start_run():\n    mlflow.log_param("lr", 0.01)\n    mlflow.log_metric("loss", 0.1)`} />)}
    />
  );
  const problem = state.q && rows.error ? rows.error.message : null;
  const there = rows.total !== undefined;
  useEffect(() => {
    if (there) actions().catch(() => undefined);
  }, [there]);
  return (
    <Page
      title={name} way={[["/", "Experiments"]]} count={counts}
      middle={<><FilterBox
        label="Filter runs" value={state.q} vocabulary={RUN_WORDS} keysOf={keysOf} problem={problem} placeholder="metrics.loss < 0.1 and params.lr = '0.01'"
        onChange={(q, done) => set({ q }, { push: done })}
      /><NewRuns count={coming} onShow={showNew} /></>}
      actions={<Toolbar id={id} experiment={experiment.data?.experiment} state={state} set={set} columns={[...new Set(grouped.length > 0 ? asked.map(plainOf) : asked)]} order={request.order_by} onColumns={() => setPicking(true)} expanded={expanded} onExpand={setExpanded} known={known} ready={rows.total !== undefined} />}
    >
      {rows.error && !state.q ? <ErrorCard what="The runs could not be loaded" error={rows.error} onRetry={renew} /> : (
        <div className={narrow ? `runs ${state.view}` : "runs"}>
          <div className="runs-list">{list}</div>
          {narrow && <Boundary what="The charts could not be shown"><Suspense fallback={<Loading />}><ChartsPane ids={drawn} chosen={selection.size} total={total} nameOf={(run) => nameIn(rowAt, total, run)} metrics={found} state={state} set={set} arranged={arranged} active={active} /></Suspense></Boundary>}
        </div>
      )}
      {selection.size > 0 && grouped.length === 0 && <Suspense fallback={null}><RunActions
        chosen={{ experimentId: id, ids: selection.everything ? null : [...selected], except: [...selection.except], filter, deleted: state.stage === "deleted", snapshot: rows.snapshot, size: selection.size }}
        columns={asked} order={request.order_by} onClear={selection.clear} onDone={renew}
      /></Suspense>}
      <Suspense fallback={null}>
      {picking && <ColumnPicker experimentIds={[id]} shown={ids} onChange={setColumns} onReset={() => setColumns([])} onClose={() => setPicking(false)} />}
      {looked && isSpread(looked.column) && grouped.length === 0 && <Spread column={looked.column} at={looked.at} experimentId={id} filter={filter} deleted={state.stage === "deleted"} />}
      {coloured && <ColourDialog name={String(coloured.value(NAME) ?? coloured.id)} chosen={arranged.colours.get(coloured.id)} onChoose={(colour) => arranged.setColour(coloured.id, colour)} onClose={() => setColoured(null)} />}
      {peeked && <Peek id={peeked} onClose={() => {
        setPeeked(null);
        table.current?.focus();
      }} />}
      </Suspense>
    </Page>
  );
}

function toggled(list: readonly string[], item: string): string[] {
  return list.includes(item) ? list.filter((other) => other !== item) : [...list, item];
}

function next(view: "table" | "charts" | "split"): "table" | "charts" | "split" {
  return view === "table" ? "charts" : view === "charts" ? "split" : "table";
}

function nameIn(rowAt: (index: number) => RunRow | undefined, total: number, id: string): string {
  for (let at = 0; at < Math.min(total, 2000); at += 1) {
    const row = rowAt(at);
    if (row?.id === id) return String(row.value(NAME) ?? id);
  }
  return id.slice(0, 8);
}
