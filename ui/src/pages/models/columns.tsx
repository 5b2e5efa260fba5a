import type { ModelSummary, ServingEndpoint } from "@/api/schema";
import { Link, path } from "@/frame/router";
import { difference } from "@/pages/models/change";
import type { MenuItem } from "@/parts/Menu";
import type { Column } from "@/parts/Table";
import { isOwn } from "@/parts/tags";
import { Chip, Count, Mark, Num, Time } from "@/parts/Values";

const DIGITS = 5;

export const SERVING_TONES: Readonly<Record<string, readonly ["ok" | "bad" | "running" | "warn" | "soft", string]>> = {
  READY: ["ok", "Ready"], STARTING: ["running", "Starting"], WAITING: ["warn", "Waiting"], STOPPING: ["running", "Stopping"],
  DEGRADED: ["warn", "Degraded"], FAILED: ["bad", "Failed"], OFF: ["soft", "Off"],
};

/** The state of an endpoint. */
export function ServingState({ state }: { state: string }) {
  const [tone, word] = SERVING_TONES[state] ?? ["soft", state];
  return <Mark tone={tone}>{word}</Mark>;
}

/** How a value stands to the one before: with a sign, and with colour where one is better. */
export function Change({ value, before, goal, than }: { value: number | string; before: number | string | null | undefined; goal: string; than: string }) {
  const apart = difference(value, before, goal);
  if (!apart) return null;
  const tone = apart.better === null ? "soft" : apart.better ? "better" : "worse";
  return <span className={`figure ${tone}`} data-tip={`${apart.better === null ? "The same as" : apart.better ? "Better than" : "Worse than"} ${than}`}>{apart.text}</span>;
}

export function columnsOf(
  sort: string, onSort: (sort: string) => void, serving: ReadonlyMap<string, ServingEndpoint>, menuOf: (row: ModelSummary) => readonly MenuItem[],
): readonly Column<ModelSummary>[] {
  const sorted = (key: string, downFirst: boolean) => ({
    sort: sort === key ? ("asc" as const) : sort === `-${key}` ? ("desc" as const) : null,
    onSort: () => onSort(sort === (downFirst ? `-${key}` : key) ? (downFirst ? key : `-${key}`) : downFirst ? `-${key}` : key),
  });
  const columns: Column<ModelSummary>[] = [
    { key: "name", title: "Name", width: 240, frozen: true, className: "edge", ...sorted("name", false), cell: (row) => <Link to={path`/models/${row.name}`} tabIndex={-1}>{row.name}</Link> },
    { key: "latest", title: "Latest", width: 80, cell: (row) => row.latest && <Link to={path`/models/${row.name}/${row.latest}`} tabIndex={-1}>v{row.latest}</Link> },
    {
      key: "aliases", title: "Aliases", width: 260,
      cell: (row) => (row.aliases ?? []).map((one) => <Chip key={one.alias} icon="alias">{one.alias} v{one.version}</Chip>),
    },
    {
      key: "serving", title: "Serving", width: 110,
      cell: (row) => {
        const endpoint = serving.get(row.name);
        return endpoint && <ServingState state={endpoint.state} />;
      },
    },
    {
      key: "metric", title: "Key metric", width: 250,
      cell: ({ metric }) => metric && <>
        <span className="soft">{metric.metric}</span><Num value={metric.value} digits={DIGITS} />
        <Change value={metric.value} before={metric.before} goal={metric.goal} than={`version ${metric.version_before ?? ""}`} />
      </>,
    },
    { key: "versions", title: "Versions", width: 90, number: true, ...sorted("versions", true), cell: (row) => <Count value={row.versions} /> },
    { key: "changed", title: "Last change", width: 110, ...sorted("last_updated_timestamp", true), cell: (row) => <Time at={row.last_updated_timestamp} /> },
    { key: "created", title: "Created", width: 100, ...sorted("creation_timestamp", true), cell: (row) => <Time at={row.creation_timestamp} /> },
    { key: "tags", title: "Tags", width: 200, cell: (row) => (row.tags ?? []).filter(isOwn).map((tag) => <Chip key={tag.key}>{tag.value ? `${tag.key} ${tag.value}` : tag.key}</Chip>) },
    { key: "description", title: "Description", width: 320, cell: (row) => row.description && <span data-tip={row.description}>{row.description}</span> },
  ];
  return columns.map((column) => ({ ...column, cellMenu: menuOf }));
}
