import type { ModelVersion } from "@/api/schema";
import { digitsFor } from "@/base/format";
import { Link, path } from "@/frame/router";
import type { RunMetrics } from "@/pages/model/data";
import { StageChip } from "@/pages/model/stages";
import type { MenuItem } from "@/parts/Menu";
import type { Column } from "@/parts/Table";
import { isOwn } from "@/parts/tags";
import { Chip, Num, Time } from "@/parts/Values";

export function columnsOf(
  versions: readonly ModelVersion[], metrics: RunMetrics, key: string, sort: string, onSort: (sort: string) => void, menuOf: (version: ModelVersion) => readonly MenuItem[],
): readonly Column<ModelVersion>[] {
  const sorted = (name: string, downFirst: boolean) => ({
    sort: sort === name ? ("asc" as const) : sort === `-${name}` ? ("desc" as const) : null,
    onSort: () => onSort(sort === (downFirst ? `-${name}` : name) ? (downFirst ? name : `-${name}`) : downFirst ? `-${name}` : name),
  });
  // The metric that counts stands first.
  const keys = [...metrics.keys].sort((a, b) => Number(b === key) - Number(a === key));
  const columns: Column<ModelVersion>[] = [
    { key: "version", title: "Version", width: 110, frozen: true, className: "edge", ...sorted("version", true), cell: (row) => <Link to={path`/models/${row.name}/${row.version}`} tabIndex={-1}>Version {row.version}</Link> },
    { key: "stage", title: "Stage", width: 110, ...sorted("stage", true), cell: (row) => <StageChip stage={row.current_stage} /> },
    { key: "aliases", title: "Aliases", width: 180, cell: (row) => (row.aliases ?? []).map((alias) => <Chip key={alias} icon="alias">{alias}</Chip>) },
    ...keys.map((metric): Column<ModelVersion> => {
      const digits = digitsFor(versions.map((version) => metrics.valueOf(version, metric)));
      return { key: `metrics.${metric}`, title: metric, width: Math.min(200, Math.max(96, metric.length * 7 + 32)), number: true, ...sorted(`metrics.${metric}`, true), cell: (row) => <Num value={metrics.valueOf(row, metric)} digits={digits} /> };
    }),
    { key: "run", title: "Run", width: 150, cell: (row) => row.run_id && <Link to={path`/run/${row.run_id}`} tabIndex={-1}>{metrics.nameOf(row) ?? row.run_id}</Link> },
    { key: "created", title: "Registered", width: 100, ...sorted("created", true), cell: (row) => <Time at={row.creation_timestamp} /> },
    { key: "user", title: "By", width: 110, ...sorted("user", false), cell: (row) => row.user_id },
    { key: "tags", title: "Tags", width: 200, cell: (row) => (row.tags ?? []).filter(isOwn).map((tag) => <Chip key={tag.key}>{tag.value ? `${tag.key} ${tag.value}` : tag.key}</Chip>) },
    { key: "description", title: "Description", width: 320, cell: (row) => row.description && <span data-tip={row.description}>{row.description}</span> },
  ];
  return columns.map((column) => ({ ...column, cellMenu: menuOf }));
}
