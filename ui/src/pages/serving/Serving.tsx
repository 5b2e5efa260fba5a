import { useMemo, useState } from "react";
import { useOperation } from "@/api/queries";
import { ListEndpoints, type ServingEndpoint } from "@/api/schema";
import { counted } from "@/base/format";
import { text, useUrlState } from "@/base/url";
import { Page } from "@/frame/Page";
import { path, useGo } from "@/frame/router";
import { DeleteEndpointDialog, NoHost, restart, turn, useLiveEndpoints } from "@/pages/serving/actions";
import { columnsOf } from "@/pages/serving/columns";
import { SwitchOn } from "@/pages/serving/SwitchOn";
import { Button } from "@/parts/Button";
import { Empty, ErrorCard } from "@/parts/States";
import { Table } from "@/parts/Table";
import "@/pages/serving/serving.css";

// `on` names the registered model that serving is to be switched on for: pages of models link here.
const STATE = { q: text(), on: text() };
const MOST = 1000;
const POLL_MS = 10_000;
const EXAMPLE = "millstream endpoints on churn    # NAME of a registered model";

/** The endpoints that serve registered models. */
export default function Serving() {
  const go = useGo();
  const [state, set] = useUrlState(STATE);
  const [switching, setSwitching] = useState(false);
  const [deleting, setDeleting] = useState<string | null>(null);
  const list = useOperation(ListEndpoints, { max_results: MOST }, { refetchInterval: POLL_MS });
  useLiveEndpoints();
  const all = list.data?.endpoints ?? [];
  const wanted = state.q.toLowerCase();
  const rows = all.filter((row) => row.name.toLowerCase().includes(wanted) || row.model.toLowerCase().includes(wanted));
  const columns = useMemo(() => columnsOf((row: ServingEndpoint) => [
    { label: row.enabled ? "Switch off" : "Switch on", icon: row.enabled ? "pause" : "play", run: () => void turn(row) },
    { label: "Restart", icon: "refresh", run: () => void restart(row.name) },
    { label: "Delete", icon: "trash", tone: "bad", section: true, run: () => setDeleting(row.name) },
  ]), []);
  const close = () => {
    setSwitching(false);
    set({ on: "" });
  };
  return (
    <Page
      title="Serving" count={list.data && counted(all.length, "endpoint")}
      middle={<input
        className="input serving-filter" type="search" aria-label="Filter endpoints" placeholder="Part of a name" value={state.q}
        onChange={(event) => set({ q: event.target.value })}
      />}
      actions={<Button icon="add" tone="main" onClick={() => setSwitching(true)}>Switch on</Button>}
    >
      <NoHost />
      {list.error ? <ErrorCard what="The endpoints could not be loaded" error={list.error} onRetry={() => void list.refetch()} /> : (
        <Table
          label="Endpoints" main columns={columns} count={rows.length} rowAt={(index) => rows[index]} keyOf={(row) => row.name}
          onOpen={(row, event) => go(path`/serving/${row.name}`, event)}
          empty={list.data && rows.length === 0 && (state.q
            ? <Empty title="No endpoint has such a name." />
            : <Empty title="Nothing is served yet. Switch serving on for a registered model, here or so:" code={EXAMPLE} />)}
        />
      )}
      {(switching || state.on) && <SwitchOn model={state.on} onClose={close} onDone={(name) => go(path`/serving/${name}`)} />}
      {deleting && <DeleteEndpointDialog name={deleting} onClose={() => setDeleting(null)} />}
    </Page>
  );
}
