import type { ExperimentSummary } from "@/api/schema";
import { Link, path } from "@/frame/router";
import { Sparkline } from "@/pages/experiments/Sparkline";
import type { Column } from "@/parts/Table";
import { isOwn } from "@/parts/tags";
import { Chip, Count, Mark, Num, Time } from "@/parts/Values";
import type { MenuItem } from "@/parts/Menu";

export type ExperimentRow = ExperimentSummary;

/** The columns of the table; `sort` is a key with a minus for downwards. */
export function columnsOf(
  sort: string, onSort: (sort: string) => void, menuOf: (row: ExperimentRow) => readonly MenuItem[],
): readonly Column<ExperimentRow>[] {
  const sorted = (key: string, downFirst: boolean) => ({
    sort: sort === key ? ("asc" as const) : sort === `-${key}` ? ("desc" as const) : null,
    onSort: () => onSort(sort === (downFirst ? `-${key}` : key) ? (downFirst ? key : `-${key}`) : downFirst ? `-${key}` : key),
  });
  const columns: Column<ExperimentRow>[] = [
    { key: "name", title: "Name", width: 280, frozen: true, className: "edge", ...sorted("name", false), cell: (row) => <Link to={path`/exp/${row.experiment_id}`} tabIndex={-1}>{row.name}</Link> },
    { key: "runs", title: "Runs", width: 80, number: true, ...sorted("runs", true), cell: (row) => <Count value={row.runs} /> },
    { key: "running", title: "Running", width: 90, cell: (row) => (row.running ? <Mark tone="running">{String(row.running)}</Mark> : null) },
    { key: "last", title: "Last activity", width: 110, ...sorted("last_activity", true), cell: (row) => <Time at={row.last_activity} /> },
    {
      key: "best", title: "Best", width: 190,
      cell: ({ best }) => best && <Link to={path`/run/${best.run_id}`} tabIndex={-1} data-tip={`The ${best.goal === "min" ? "lowest" : "highest"} ${best.metric}`}><span className="soft">{best.metric}</span> <Num value={best.value} /></Link>,
    },
    { key: "started", title: "Last 30 days", width: 132, cell: (row) => <Sparkline values={row.started ?? []} /> },
    { key: "owner", title: "Owner", width: 110, cell: (row) => row.owner },
    { key: "created", title: "Created", width: 100, ...sorted("creation_time", true), cell: (row) => <Time at={row.creation_time} /> },
    {
      key: "tags", title: "Tags", width: 260,
      cell: (row) => (row.tags ?? []).filter(isOwn).map((tag) => <Chip key={tag.key}>{tag.value ? `${tag.key} ${tag.value}` : tag.key}</Chip>),
    },
  ];
  return columns.map((column) => ({ ...column, cellMenu: menuOf }));
}
