import { useState } from "react";
import { useOperation } from "@/api/queries";
import { GetMonitor, SearchRequests, type RequestRecord } from "@/api/schema";
import { count, numberOf } from "@/base/format";
import { milliseconds } from "@/pages/serving/columns";
import { WatchButton } from "@/pages/endpoint/watching";
import { Drawer } from "@/parts/Drawer";
import { Code, Empty, ErrorCard, Loaded } from "@/parts/States";
import { Table, type Column } from "@/parts/Table";
import { Switch } from "@/parts/Tabs";
import { Facts, Mark, Time } from "@/parts/Values";

const MOST = 500;
const FAILED = 400;
const POLL_MS = 10_000;
const SHOWN = [["all", "All"], ["bad", "Failed"], ["known", "With outcome"]] as const;

export type Shown = "all" | "bad" | "known";

/** The newest requests of the log, with what was asked and answered. */
export function Requests({ name, shown, onShown }: { name: string; shown: Shown; onShown: (shown: Shown) => void }) {
  const [open, setOpen] = useState<RequestRecord | null>(null);
  const watched = useOperation(GetMonitor, { name });
  const list = useOperation(SearchRequests, {
    name, max_results: MOST, ...(shown === "bad" ? { least_status: FAILED } : {}), ...(shown === "known" ? { with_outcome: true } : {}),
  }, { refetchInterval: POLL_MS });
  const rows = list.data?.requests ?? [];
  const nothing = watched.error && shown === "all"
    ? <div className="empty"><p>Nothing watches this endpoint, so requests are counted and not kept.</p><WatchButton name={name} /></div>
    : <Empty title={shown === "all" ? "No request was kept yet." : "No such request was kept."} />;
  return (
    <div className="endpoint-fill">
      <div className="line endpoint-tools"><Switch label="Requests" options={SHOWN} value={shown} onChange={onShown} /></div>
      {list.error ? <ErrorCard what="The requests could not be loaded" error={list.error} onRetry={() => void list.refetch()} /> : (
        <Table
          label="Requests" main columns={COLUMNS} count={rows.length} rowAt={(index) => rows[index]} keyOf={keyOf}
          onOpen={setOpen} onPeek={setOpen} empty={list.data && rows.length === 0 && nothing}
        />
      )}
      {open && <Request name={name} record={open} onClose={() => setOpen(null)} />}
    </div>
  );
}

const COLUMNS: readonly Column<RequestRecord>[] = [
  { key: "status", title: "Status", width: 90, frozen: true, className: "edge", cell: (row) => <Status code={row.status_code ?? 0} /> },
  { key: "time", title: "When", width: 110, cell: (row) => <Time at={row.time} /> },
  { key: "version", title: "Version", width: 80, cell: (row) => row.version && `v${row.version}` },
  { key: "took", title: "Took", width: 90, number: true, cell: (row) => milliseconds(numberOf(row.seconds) ?? 0) },
  { key: "rows", title: "Rows", width: 70, number: true, cell: (row) => (row.rows ? count(row.rows) : null) },
  { key: "outcome", title: "Outcome", width: 200, cell: (row) => row.outcome },
  { key: "type", title: "Content type", width: 180, cell: (row) => row.content_type },
  { key: "id", title: "ID", width: 300, cell: (row) => <span className="mono">{row.request_id}</span> },
];

function keyOf(row: RequestRecord): string {
  return `${row.request_id} ${row.time}`;
}

function Status({ code }: { code: number }) {
  return <Mark tone={code >= 500 ? "bad" : code >= FAILED ? "warn" : "ok"}>{String(code)}</Mark>;
}

/** One request: its bodies are read only now. */
function Request({ name, record, onClose }: { name: string; record: RequestRecord; onClose: () => void }) {
  const query = useOperation(SearchRequests, { name, request_id: record.request_id, with_bodies: true, max_results: 10 });
  return (
    <Drawer label="Request" title={<span className="mono">{record.request_id}</span>} onClose={onClose}>
      <Loaded query={query} what="The request">
        {({ requests = [] }) => {
          const found = requests.find((one) => one.time === record.time) ?? record;
          return (
            <div className="stack">
              <Facts rows={[
                ["Status", <Status key="status" code={found.status_code ?? 0} />],
                ["When", <Time key="time" at={found.time} />],
                ["Version", found.version],
                ["Took", milliseconds(numberOf(found.seconds) ?? 0)],
                ["Rows", found.rows],
                ["Outcome", found.outcome],
              ]} />
              <h3>Asked</h3>{found.request ? <Code text={found.request} /> : <p className="soft">The body was not kept.</p>}
              <h3>Answered</h3>{found.answer ? <Code text={found.answer} /> : <p className="soft">The body was not kept.</p>}
            </div>
          );
        }}
      </Loaded>
    </Drawer>
  );
}
