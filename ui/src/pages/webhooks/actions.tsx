import { call } from "@/api/client";
import { refresh } from "@/api/queries";
import { CreateWebhook, DeleteWebhook, GetWebhook, ListWebhookDeliveries, ListWebhooks, TestWebhook, UpdateWebhook, type WebhookRecord } from "@/api/schema";
import { FormDialog } from "@/parts/Dialog";
import { toast, toastError } from "@/parts/Toast";
import { Mark } from "@/parts/Values";

const TESTED_CHARACTERS = 120;

/** Reads again what shows webhooks. */
export function refreshWebhooks(): Promise<void> {
  return refresh(ListWebhooks, GetWebhook, ListWebhookDeliveries, CreateWebhook);
}

export function WebhookState({ webhook }: { webhook: WebhookRecord }) {
  if (webhook.status === "DISABLED") return <Mark tone="soft">Off</Mark>;
  return webhook.status === "TEST_MODE" ? <Mark tone="warn">Tests only</Mark> : <Mark tone="ok">Active</Mark>;
}

/** Turns a webhook on or off. */
export async function switchWebhook(webhook: WebhookRecord): Promise<void> {
  const to = (status: string) => call(UpdateWebhook, { webhook_id: webhook.webhook_id, status }).then(refreshWebhooks);
  const [next, back] = webhook.status === "ACTIVE" ? ["DISABLED", "ACTIVE"] as const : ["ACTIVE", webhook.status ?? "DISABLED"] as const;
  await to(next).then(() => toast(`${webhook.name} is ${next === "ACTIVE" ? "active" : "off"}`, { undo: () => to(back) }), toastError);
}

/** Sends a sample now, and tells what came back. */
export async function testWebhook(webhook: WebhookRecord): Promise<void> {
  try {
    const { result } = await call(TestWebhook, { webhook_id: webhook.webhook_id });
    const said = result.success ? `answered ${result.response_status ?? ""}` : result.error_message ?? `answered ${result.response_status ?? "nothing"}`;
    const text = `Test of ${webhook.name}: ${said}`.slice(0, TESTED_CHARACTERS);
    if (result.success) toast(text);
    else toastError(new Error(text));
  } catch (error) {
    toastError(error);
  }
}

export function DeleteDialog({ webhook, onClose, onDone }: { webhook: WebhookRecord; onClose: () => void; onDone: () => void }) {
  return (
    <FormDialog title={`Delete ${webhook.name}`} action="Delete" tone="bad" onClose={onClose} onSubmit={() => call(DeleteWebhook, { webhook_id: webhook.webhook_id }).then(refreshWebhooks).then(onDone)}>
      <p>What waits for it is not sent any more, and the log of its deliveries goes with it.</p>
    </FormDialog>
  );
}
