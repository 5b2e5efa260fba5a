import type { RunColumn } from "@/api/schema";
import { digitsFor, iso, numberOf, type Figure } from "@/base/format";
import { Link, path } from "@/frame/router";
import type { RunRow } from "@/pages/runs/rows";
import { columnText, conditionOf, isSortable, isSpread, kindOf, parseColumn, titleOf, type Cell, type Variant } from "@/pages/runs/state";
import { Icon } from "@/parts/Icon";
import type { MenuItem } from "@/parts/Menu";
import type { Column } from "@/parts/Table";
import { Chip, Count, Duration, Num, Progress, RunStatus, Time } from "@/parts/Values";

export interface Facts {
  /** What is known of each column, by its name without a function. */
  known: ReadonlyMap<string, RunColumn>;
  sort: string;
  widths: Readonly<Record<string, number>>;
  heat: ReadonlySet<string>;
  pinned: ReadonlySet<string>;
  expanded: ReadonlySet<string> | "all";
  tree: boolean;
  grouped: readonly string[];
  /** Colours of the runs that charts draw, and of those that somebody gave one. */
  colours: ReadonlyMap<string, string>;
  /** The runs that stay first. */
  firstRuns: ReadonlySet<string>;
  /** Significant digits of a column. */
  digits: (column: string) => number;
}

export interface Doing {
  sort: (sort: string) => void;
  filter: (condition: string) => void;
  hide: (column: string) => void;
  replace: (column: string, by: string) => void;
  heat: (column: string) => void;
  pin: (column: string) => void;
  group: (column: string) => void;
  expand: (id: string) => void;
  pinRun: (row: RunRow) => void;
  colour: (row: RunRow) => void;
}

const VARIANTS: readonly (readonly [Variant, string, string])[] = [
  ["last", "", "Last value"], ["min", "", "Lowest value"], ["max", "", "Highest value"], ["first", "", "First value"],
  ["best_step", "min", "Step of the lowest"], ["best_step", "max", "Step of the highest"], ["mean", "10", "Mean of the last 10"],
];
const WIDTHS: Record<string, number> = {
  "attributes.run_name": 220, "attributes.status": 104, "attributes.start_time": 96, "attributes.end_time": 96, "attributes.duration": 84, "attributes.run_id": 260,
};
export const NAME = "attributes.run_name";
/** What comes with a table without being a column: how far running runs are. */
export const PROGRESS = "attributes.progress";

/** The columns as they stand in the table: the name, those that stay at the left, the others. */
export function inOrder(ids: readonly string[], pinned: ReadonlySet<string>): string[] {
  const others = ids.filter((id) => id !== NAME);
  return [NAME, ...others.filter((id) => pinned.has(id)), ...others.filter((id) => !pinned.has(id))];
}

export function columnsOf(ids: readonly string[], facts: Facts, doing: Doing): readonly Column<RunRow>[] {
  const frozen = [NAME, ...ids.filter((id) => facts.pinned.has(id) && id !== NAME)];
  return inOrder(ids, facts.pinned).map((id, at, all) => {
    const { kind, key } = parseColumn(id);
    const before = at > 0 ? parseColumn(all[at - 1] ?? "").kind : kind;
    const isNumber = kind === "metrics" || id === "attributes.duration" || (kind === "params" && ["int", "float"].includes(facts.known.get(id)?.type ?? ""));
    const sorted = facts.sort === id ? ("asc" as const) : facts.sort === `-${id}` ? ("desc" as const) : null;
    return {
      key: id, title: titleOf(id), number: isNumber, frozen: at < frozen.length, spread: facts.grouped.length === 0 && isSpread(id),
      width: facts.widths[id] ?? WIDTHS[id] ?? Math.max(88, Math.min(180, 44 + titleOf(id).length * 7)),
      className: at === frozen.length - 1 ? "edge" : before !== kind && at > frozen.length ? "begins" : undefined,
      cell: (row: RunRow) => (id === NAME ? <NameCell row={row} facts={facts} doing={doing} /> : <ValueCell id={id} row={row} facts={facts} />),
      ...(isSortable(id, facts.grouped) ? { sort: sorted, onSort: () => doing.sort(sorted === "desc" ? id : sorted === "asc" ? `-${id}` : kind === "metrics" || key.endsWith("_time") ? `-${id}` : id) } : {}),
      ...(id === NAME ? {} : { onHide: () => doing.hide(id) }),
      menu: () => headerMenu(id, facts, doing),
      cellMenu: (row: RunRow) => cellMenu(id, row, facts, doing),
    };
  });
}

function headerMenu(id: string, facts: Facts, doing: Doing): readonly MenuItem[] {
  const { kind, key, variant, argument } = parseColumn(id);
  const items: MenuItem[] = [];
  if (isSortable(id, facts.grouped)) {
    items.push({ label: "Sort upwards", icon: "arrowUp", run: () => doing.sort(id) }, { label: "Sort downwards", icon: "arrowDown", run: () => doing.sort(`-${id}`) });
  }
  if (kind === "metrics" && facts.grouped.length === 0) {
    VARIANTS.forEach(([other, given, label], at) => items.push({
      label, checked: other === variant && given === argument, run: () => doing.replace(id, columnText({ kind, key, variant: other, argument: given })),
      ...(at === 0 ? { section: "Shows" } : {}),
    }));
  }
  if (id !== NAME) {
    if (kind === "metrics") items.push({ label: "Heat map", checked: facts.heat.has(id), section: true, run: () => doing.heat(id) });
    if (kind !== "metrics" && (kind !== "attributes" || key === "status" || key === "user_id")) items.push({ label: "Group by it", icon: "group", section: true, run: () => doing.group(id) });
    items.push({ label: "Keep at the left", checked: facts.pinned.has(id), run: () => doing.pin(id) }, { label: "Hide", icon: "hide", keys: "h", run: () => doing.hide(id) });
  }
  return items;
}

function cellMenu(id: string, row: RunRow, facts: Facts, doing: Doing): readonly MenuItem[] {
  const value = row.value(id);
  if (value === undefined || row.count) return [];
  const { variant, argument, key } = parseColumn(id);
  const filters = !(variant === "mean" || argument) && !["duration", "datasets", "models"].includes(key);
  return [
    ...(filters ? [
      { label: "Filter to this", icon: "filter" as const, run: () => doing.filter(conditionOf(id, value)) },
      { label: "Exclude this", icon: "hide" as const, run: () => doing.filter(conditionOf(id, value, true)) },
    ] : []),
    { label: "Copy value", icon: "copy", run: () => void navigator.clipboard.writeText(copied(key, value)) },
    ...(id === NAME ? [
      { label: facts.firstRuns.has(row.id) ? "Unpin the run" : "Pin the run", icon: "pin" as const, keys: "p", run: () => doing.pinRun(row) },
      { label: "Colour…", icon: "edit" as const, run: () => doing.colour(row) },
    ] : []),
    ...(id === NAME ? [{ label: "Copy run id", icon: "copy" as const, run: () => void navigator.clipboard.writeText(row.id) }] : []),
  ];
}

function copied(key: string, value: Cell): string {
  if (value === null) return "";
  return key.endsWith("_time") && typeof value === "number" ? iso(value) : String(value);
}

function NameCell({ row, facts, doing }: { row: RunRow; facts: Facts; doing: Doing }) {
  if (row.count) return <strong><Count value={row.count} /> runs</strong>;
  const colour = facts.colours.get(row.id);
  const open = facts.expanded === "all" || facts.expanded.has(row.id);
  return (
    <>
      {facts.tree && <span className="run-indent" style={{ width: row.depth * 14 + 16 }}>
        {row.children > 0 && (
          <button type="button" tabIndex={-1} className="twist" aria-label={open ? "Close" : "Open"} aria-expanded={open} onClick={(event) => {
            event.stopPropagation();
            doing.expand(row.id);
          }}><Icon name={open ? "chevronDown" : "chevronRight"} /></button>
        )}
      </span>}
      {colour && <span className="swatch" style={{ background: colour }} />}
      <Link to={path`/run/${row.id}`} tabIndex={-1} className="grow">{String(row.value(NAME) ?? row.id)}</Link>
      {facts.firstRuns.has(row.id) && <span className="pinned" data-tip="Pinned: it stays first"><Icon name="pin" /><span className="unseen">Pinned</span></span>}
      {facts.tree && row.children > 0 && <span className="soft figure">{row.children}</span>}
    </>
  );
}

function ValueCell({ id, row, facts }: { id: string; row: RunRow; facts: Facts }) {
  const value = row.value(id);
  if (value === undefined || value === null) return null;
  const { kind, key } = parseColumn(id);
  if (kind === "metrics" || (row.count && typeof value === "number")) {
    const figure = <Num value={value as Figure} digits={facts.digits(id)} />;
    return facts.heat.has(id) ? <span className="heat" style={{ background: heatOf(value as Figure, facts.known.get(`metrics.${key}`)) }}>{figure}</span> : figure;
  }
  if (kind !== "attributes") return <span data-tip={String(value).length > 24 ? String(value).slice(0, 500) : undefined}>{String(value)}</span>;
  if (key === "status") return <Status status={String(value)} share={row.value(PROGRESS)} />;
  if (key.endsWith("_time")) return <Time at={value as number} />;
  if (key === "duration") return <Duration ms={value as number} />;
  if (key === "run_id" || key === "artifact_uri") return <code>{String(value)}</code>;
  if (Array.isArray(value)) return <>{value.map((name: string) => <Chip key={name}>{name}</Chip>)}</>;
  return <span>{String(value)}</span>;
}

/** The state of a run; of a running one that tells how many steps there will be, how far it is. */
function Status({ status, share }: { status: string; share: Cell | undefined }) {
  if (status !== "RUNNING" || typeof share !== "number") return <RunStatus status={status} />;
  return <><RunStatus status={status} quiet /><Progress share={share} /></>;
}

function heatOf(value: Figure, known: RunColumn | undefined): string | undefined {
  const [low, high, given] = [numberOf(known?.min), numberOf(known?.max), numberOf(value)];
  if (low === null || high === null || given === null || !Number.isFinite(given) || high <= low) return undefined;
  const share = Math.max(0, Math.min(1, (given - low) / (high - low)));
  return `color-mix(in srgb, var(--accent) ${Math.round(share * 38)}%, transparent)`;
}

/** Whether runs that have it differ in it; that others lack it does not count. */
function doesVary(column: RunColumn): boolean {
  return column.distinct > 1;
}

/** The columns that are shown when nobody has chosen: what varies, and what most runs have. */
export function defaultColumns(columns: readonly RunColumn[], varyingOnly: boolean): string[] {
  const named = (column: RunColumn) => `${kindOf(column.kind)}.${column.key}`;
  const of = (kind: string) => columns.filter((column) => column.kind === kind && !column.key.startsWith("system/") && !column.key.startsWith("mlflow."));
  const params = of("param");
  const varying = params.filter(doesVary);
  return [
    "attributes.status", "attributes.start_time", "attributes.duration",
    ...of("metric").slice(0, 10).map(named),
    ...(varyingOnly || params.length > 20 ? varying : [...varying, ...params.filter((param) => !doesVary(param))]).slice(0, 10).map(named),
  ];
}

/** Digits that tell the loaded values of a column apart, found once. */
export function digitsIn(rowAt: (index: number) => RunRow | undefined, total: number): (column: string) => number {
  const made = new Map<string, number>();
  return (column) => {
    let digits = made.get(column);
    if (digits === undefined) {
      digits = digitsFor(Array.from({ length: Math.min(total, 200) }, (_, at) => rowAt(at)?.value(column) as Figure | undefined));
      made.set(column, digits);
    }
    return digits;
  };
}
