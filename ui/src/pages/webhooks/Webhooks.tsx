import { useMemo, useState } from "react";
import { useOperation } from "@/api/queries";
import { ListWebhooks, type WebhookRecord } from "@/api/schema";
import { counted } from "@/base/format";
import { Page } from "@/frame/Page";
import { Link, path, useGo } from "@/frame/router";
import { DeleteDialog, refreshWebhooks, switchWebhook, testWebhook, WebhookState } from "@/pages/webhooks/actions";
import { WebhookForm } from "@/pages/webhooks/Form";
import { Button } from "@/parts/Button";
import type { MenuItem } from "@/parts/Menu";
import { Empty, ErrorCard } from "@/parts/States";
import { Table, type Column } from "@/parts/Table";
import { Chip, Time } from "@/parts/Values";

const MOST = 1000;
const EXAMPLE = 'from millstream import MlflowClient\n\nMlflowClient().create_webhook("ci", "https://ci.example.com/hooks", ["model_version.created"])';

/** Who is told of what happens in the registry. */
export default function Webhooks() {
  const go = useGo();
  const list = useOperation(ListWebhooks, { max_results: MOST, all_events: true });
  const [editing, setEditing] = useState<WebhookRecord | "new" | null>(null);
  const [deleting, setDeleting] = useState<WebhookRecord | null>(null);
  const rows = list.data?.webhooks ?? [];
  const columns = useMemo(() => columnsOf((row) => [
    { label: "Test", icon: "play", run: () => void testWebhook(row) },
    { label: "Change", icon: "edit", run: () => setEditing(row) },
    { label: row.status === "ACTIVE" ? "Turn off" : "Turn on", icon: "pause", run: () => void switchWebhook(row) },
    { label: "Delete", icon: "trash", tone: "bad", section: true, run: () => setDeleting(row) },
  ]), []);
  return (
    <Page
      title="Webhooks" count={list.data && counted(rows.length, "webhook")}
      actions={<Button icon="add" tone="main" onClick={() => setEditing("new")}>New webhook</Button>}
    >
      {list.error ? <ErrorCard what="The webhooks could not be loaded" error={list.error} onRetry={() => void list.refetch()} /> : (
        <Table
          label="Webhooks" main columns={columns} count={rows.length} rowAt={(index) => rows[index]} keyOf={(row) => row.webhook_id}
          onOpen={(row, event) => go(path`/webhooks/${row.webhook_id}`, event)}
          empty={list.data && rows.length === 0 && <Empty title="There are no webhooks. One tells another program of what happens in the registry:" code={EXAMPLE} />}
        />
      )}
      {editing && <WebhookForm webhook={editing === "new" ? undefined : editing} onClose={() => setEditing(null)} onDone={() => void refreshWebhooks()} />}
      {deleting && <DeleteDialog webhook={deleting} onClose={() => setDeleting(null)} onDone={() => setDeleting(null)} />}
    </Page>
  );
}

function columnsOf(menuOf: (row: WebhookRecord) => readonly MenuItem[]): readonly Column<WebhookRecord>[] {
  const columns: Column<WebhookRecord>[] = [
    { key: "name", title: "Name", width: 200, frozen: true, className: "edge", cell: (row) => <Link to={path`/webhooks/${row.webhook_id}`} tabIndex={-1}>{row.name}</Link> },
    { key: "state", title: "State", width: 110, cell: (row) => <WebhookState webhook={row} /> },
    { key: "url", title: "Address", width: 320, cell: (row) => <span className="mono" data-tip={row.url}>{row.url}</span> },
    { key: "model", title: "Model", width: 140, cell: (row) => (row.model_name ? <Link to={path`/models/${row.model_name}`} tabIndex={-1}>{row.model_name}</Link> : <span className="soft">all</span>) },
    { key: "events", title: "Events", width: 280, cell: (row) => (row.event_names ?? []).map((name) => <Chip key={name}>{name}</Chip>) },
    { key: "signed", title: "Signed", width: 80, cell: (row) => (row.has_secret ? "Yes" : <span className="soft">No</span>) },
    { key: "created", title: "Created", width: 100, cell: (row) => <Time at={row.creation_timestamp} /> },
  ];
  return columns.map((column) => ({ ...column, cellMenu: menuOf }));
}
