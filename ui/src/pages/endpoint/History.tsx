import { useOperation } from "@/api/queries";
import { ListEndpointEvents, type EndpointEvent } from "@/api/schema";
import { Empty, ErrorCard } from "@/parts/States";
import { Table, type Column } from "@/parts/Table";
import { Time } from "@/parts/Values";

const MOST = 500;

const COLUMNS: readonly Column<EndpointEvent>[] = [
  { key: "time", title: "When", width: 110, frozen: true, className: "edge", cell: (row) => <Time at={row.timestamp} /> },
  { key: "kind", title: "What", width: 200, cell: (row) => eventText(row.kind) },
  { key: "version", title: "Version", width: 80, cell: (row) => row.version && `v${row.version}` },
  { key: "detail", title: "Detail", width: 560, cell: (row) => row.detail && <span data-tip={row.detail}>{row.detail}</span> },
  { key: "user", title: "By", width: 140, cell: (row) => row.user_id },
];

/** What has happened to an endpoint, the newest first. */
export function History({ name }: { name: string }) {
  const list = useOperation(ListEndpointEvents, { name, max_results: MOST });
  const rows = list.data?.events ?? [];
  if (list.error) return <ErrorCard what="The history could not be loaded" error={list.error} onRetry={() => void list.refetch()} />;
  return (
    <div className="endpoint-fill">
      <Table
        label="History" main columns={COLUMNS} count={rows.length} rowAt={(index) => rows[index]} keyOf={(row) => String(row.sequence)}
        empty={list.data && rows.length === 0 && <Empty title="Nothing has happened yet." />}
      />
    </div>
  );
}

/** "endpoint.canary_started" as "Canary started". */
function eventText(kind: string): string {
  const words = kind.replace(/^endpoint\./, "").replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
