import { useState } from "react";
import { useOperation } from "@/api/queries";
import { ListWebhooks, type WebhookRecord } from "@/api/schema";
import { Link, path } from "@/frame/router";
import { DeleteDialog, refreshWebhooks, switchWebhook, testWebhook, WebhookState } from "@/pages/webhooks/actions";
import { WebhookForm } from "@/pages/webhooks/Form";
import { Button } from "@/parts/Button";
import { MenuButton } from "@/parts/Menu";
import { Empty, Loaded } from "@/parts/States";
import { Chip } from "@/parts/Values";

const MOST = 1000;

/** The webhooks that hear of one model, those of all models too. */
export function ModelWebhooks({ name }: { name: string }) {
  const query = useOperation(ListWebhooks, { max_results: MOST, all_events: true });
  const [editing, setEditing] = useState<WebhookRecord | "new" | null>(null);
  const [deleting, setDeleting] = useState<WebhookRecord | null>(null);
  return (
    <div className="stack pane">
      <div><Button icon="add" onClick={() => setEditing("new")}>New webhook</Button></div>
      <Loaded query={query} what="The webhooks">
        {({ webhooks = [] }) => {
          const rows = webhooks.filter((webhook) => !webhook.model_name || webhook.model_name === name);
          return rows.length === 0 ? <Empty title="No webhook hears of this model." /> : (
            <table className="facts-table" aria-label="Webhooks">
              <thead><tr><th>Name</th><th>State</th><th>Address</th><th>Events</th><th><span className="unseen">Actions</span></th></tr></thead>
              <tbody>
                {rows.map((row) => (
                  <tr key={row.webhook_id}>
                    <td><Link to={path`/webhooks/${row.webhook_id}`}>{row.name}</Link>{!row.model_name && <span className="soft"> all models</span>}</td><td><WebhookState webhook={row} /></td><td className="mono">{row.url}</td>
                    <td><span className="chips">{(row.event_names ?? []).map((event) => <Chip key={event}>{event}</Chip>)}</span></td>
                    <td className="number"><MenuButton label={`Choices of ${row.name}`} items={[
                      { label: "Test", icon: "play", run: () => void testWebhook(row) },
                      { label: "Change", icon: "edit", run: () => setEditing(row) },
                      { label: row.status === "ACTIVE" ? "Turn off" : "Turn on", icon: "pause", run: () => void switchWebhook(row) },
                      { label: "Delete", icon: "trash", tone: "bad", section: true, run: () => setDeleting(row) },
                    ]} /></td>
                  </tr>
                ))}
              </tbody>
            </table>
          );
        }}
      </Loaded>
      {editing && <WebhookForm webhook={editing === "new" ? undefined : editing} model={name} onClose={() => setEditing(null)} onDone={() => void refreshWebhooks()} />}
      {deleting && <DeleteDialog webhook={deleting} onClose={() => setDeleting(null)} onDone={() => setDeleting(null)} />}
    </div>
  );
}
