// The compared runs, or what differs between them: runs as rows, or turned, runs as columns.
import { memo, useMemo, type ReactNode } from "react";
import { useOperation } from "@/api/queries";
import { GetExperiment } from "@/api/schema";
import { digitsFor, number, type Figure } from "@/base/format";
import { Link, path } from "@/frame/router";
import type { Comparison } from "@/pages/compare/data";
import { titleOf } from "@/pages/compare/state";
import { Empty } from "@/parts/States";
import { Icon } from "@/parts/Icon";
import type { MenuItem } from "@/parts/Menu";
import { Table, type Column } from "@/parts/Table";
import { Duration, Num, RunStatus, Time } from "@/parts/Values";
import { numberIn } from "@/plots/dimension";

interface Props {
  comparison: Comparison;
  kept: readonly number[];
  columns: readonly string[];
  reference: number;
  turned: boolean;
  sort: string;
  onSort: (sort: string) => void;
  selected: ReadonlySet<string>;
  onSelect: (selected: ReadonlySet<string>) => void;
  onActive: (run: string) => void;
  onReference: (run: string) => void;
  onRemove: (runs: readonly string[]) => void;
  onOpen: (run: string, event: { ctrlKey: boolean; metaKey: boolean }) => void;
}

interface RunRow {
  id: string;
  at: number;
}

interface KeyRow {
  id: string;
}

export const RunsGrid = memo(function RunsGrid(props: Props) {
  return props.turned ? <Turned {...props} /> : <Upright {...props} />;
});

function Upright({ comparison, kept, columns, reference, sort, onSort, selected, onSelect, onActive, onReference, onRemove, onOpen }: Props) {
  const rows = useMemo(() => sorted(comparison, kept, sort), [comparison, kept, sort]);
  const made = useMemo(() => {
    const menu = (row: RunRow): MenuItem[] => [
      { label: "Compare the others with it", icon: "pin", keys: "r", run: () => onReference(row.id) },
      { label: "Remove from the comparison", icon: "close", run: () => onRemove([row.id]) },
    ];
    const head = (key: string, title: string, width: number, cell: Column<RunRow>["cell"], rest: Partial<Column<RunRow>> = {}): Column<RunRow> => {
      const order = sort === key ? "asc" as const : sort === `-${key}` ? "desc" as const : null;
      return { key, title, width, cell, cellMenu: menu, sort: order, onSort: () => onSort(order === "desc" ? "" : order === "asc" ? `-${key}` : key), ...rest };
    };
    return [
      head("attributes.run_name", "Run", 184, (row) => <RunName comparison={comparison} at={row.at} reference={row.at === reference} />, { frozen: true, className: "edge" }),
      ...(comparison.experimentIds.length > 1 ? [head("attributes.experiment_id", "Experiment", 130, (row) => <ExperimentName id={String(comparison.cells("attributes.experiment_id")[row.at] ?? "")} />)] : []),
      ...columns.map((column) => {
        const dimension = comparison.dimension(column);
        const digits = digitsFor(comparison.cells(column).filter((_, at) => at < 200) as Figure[]);
        return head(column, titleOf(column), Math.max(100, Math.min(180, 44 + titleOf(column).length * 7)), (row) => <CellValue comparison={comparison} column={column} at={row.at} reference={reference} digits={digits} />, { number: dimension.kind === "number" });
      }),
      head("attributes.status", "Status", 72, (row) => <RunStatus status={String(comparison.cells("attributes.status")[row.at] ?? "")} quiet />),
      head("attributes.start_time", "Started", 100, (row) => <Time at={numberIn(comparison.cells("attributes.start_time")[row.at])} />, { number: true }),
      head("attributes.duration", "Duration", 90, (row) => <Duration ms={numberIn(comparison.cells("attributes.duration")[row.at])} />, { number: true }),
    ];
  }, [comparison, columns, reference, sort, onSort, onReference, onRemove]);
  return (
    <Table
      label="Compared runs" main columns={made} count={rows.length} rowAt={(index) => rows[index]} keyOf={(row) => row.id} selected={selected} onSelect={onSelect}
      onOpen={(row, event) => onOpen(row.id, event)} onActive={(row) => onActive(row?.id ?? "")} rowClass={(row) => (row.at === reference ? "reference" : undefined)}
      empty={<Empty title="No run lies within the limits." />}
    />
  );
}

function Turned({ comparison, kept, columns, reference, sort, onReference, onRemove, onOpen }: Props) {
  const runs = useMemo(() => sorted(comparison, kept, sort), [comparison, kept, sort]);
  const rows = useMemo(() => columns.map((id): KeyRow => ({ id })), [columns]);
  const made = useMemo((): Column<KeyRow>[] => [
    { key: "key", title: "Parameter or metric", width: 220, frozen: true, cell: (row) => <span className="cut" data-tip={titleOf(row.id)}>{titleOf(row.id)}</span> },
    { key: "kind", title: "Kind", width: 72, frozen: true, className: "edge", cell: (row) => <span className="soft">{row.id.startsWith("params.") ? "param" : "metric"}</span> },
    ...runs.map((run): Column<KeyRow> => ({
      key: run.id, title: comparison.runs[run.at]?.name ?? run.id, width: 130, head: <RunName comparison={comparison} at={run.at} reference={run.at === reference} brief />,
      menu: () => [
        { label: "Open the run", icon: "external", run: () => onOpen(run.id, { ctrlKey: false, metaKey: false }) },
        { label: "Compare the others with it", icon: "pin", run: () => onReference(run.id) },
        { label: "Remove from the comparison", icon: "close", run: () => onRemove([run.id]) },
      ],
      cell: (row) => <CellValue comparison={comparison} column={row.id} at={run.at} reference={reference} digits={6} />,
    })),
  ], [comparison, runs, reference, onOpen, onReference, onRemove]);
  return <Table label="Differences" main columns={made} count={rows.length} rowAt={(index) => rows[index]} keyOf={(row) => row.id} empty={<Empty title="These runs do not differ." />} />;
}

function RunName({ comparison, at, reference, brief }: { comparison: Comparison; at: number; reference: boolean; brief?: boolean }) {
  const run = comparison.runs[at];
  if (!run) return null;
  return <><Link to={path`/run/${run.id}`} tabIndex={-1} className="cut" data-tip={run.name.length > 24 ? run.name : undefined}>{run.name}</Link>{reference && <span className="compare-mark" data-tip="The others are compared with this run"><Icon name="pin" /><span className={brief ? "unseen" : undefined}>reference</span></span>}</>;
}

function ExperimentName({ id }: { id: string }) {
  const experiment = useOperation(GetExperiment, id ? { experiment_id: id } : null, { staleTime: 60_000 });
  return <span className="cut">{experiment.data?.experiment.name ?? id}</span>;
}

interface CellProps {
  comparison: Comparison;
  column: string;
  at: number;
  reference: number;
  digits: number;
}

/** A value, tinted where it is another than the reference run's. */
function CellValue({ comparison, column, at, reference, digits }: CellProps): ReactNode {
  const cells = comparison.cells(column);
  const cell = cells[at];
  const isNumber = comparison.dimension(column).kind === "number";
  const value = cell === null || cell === undefined || cell === "" ? null : cell;
  const shown = value === null ? <span className="soft">–</span> : isNumber && numberIn(value) !== null ? <Num value={value as Figure} digits={digits} /> : <span className="cut">{String(value)}</span>;
  if (reference < 0 || reference === at || String(cell ?? "") === String(cells[reference] ?? "")) return shown;
  return <span className="differs" data-tip={difference(cell, cells[reference])}>{shown}</span>;
}

/** How a value differs from the reference run's, in words and as a number where both are numbers. */
export function difference(cell: unknown, reference: unknown): string {
  const [a, b] = [numberIn(cell as Figure), numberIn(reference as Figure)];
  const there = reference === null || reference === undefined || reference === "" ? "the reference run has none" : `reference ${typeof reference === "number" ? number(reference) : String(reference)}`;
  if (a === null || b === null || !Number.isFinite(a - b)) return there;
  return `${there}, ${a > b ? "+" : ""}${number(a - b)}${b !== 0 ? ` (${a > b ? "+" : ""}${number(((a - b) / Math.abs(b)) * 100, 3)} %)` : ""}`;
}

/** The kept runs in the order of a column; those without a value come last. */
export function sorted(comparison: Comparison, kept: readonly number[], sort: string): RunRow[] {
  const column = sort.replace(/^-/, "");
  const rows = kept.map((at): RunRow => ({ id: comparison.runs[at]?.id ?? "", at }));
  if (!column) return rows;
  const sign = sort.startsWith("-") ? -1 : 1;
  const { values } = comparison.dimension(column);
  return rows.sort((a, b) => {
    const [one = NaN, other = NaN] = [values[a.at], values[b.at]];
    if (Number.isNaN(one) || Number.isNaN(other)) return Number(Number.isNaN(one)) - Number(Number.isNaN(other)) || a.at - b.at;
    return sign * (one - other) || a.at - b.at;
  });
}
