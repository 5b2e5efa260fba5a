import { useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { call } from "@/api/client";
import { keyOf, useOperation } from "@/api/queries";
import { GetWebhook, GetWebhookDelivery, ListWebhookDeliveries, ReplayFailedDeliveries, ReplayWebhookDelivery, type WebhookDelivery, type WebhookRecord } from "@/api/schema";
import { counted } from "@/base/format";
import { choice, useUrlState } from "@/base/url";
import { Page } from "@/frame/Page";
import { Link, path, useGo } from "@/frame/router";
import { DeleteDialog, refreshWebhooks, switchWebhook, testWebhook, WebhookState } from "@/pages/webhooks/actions";
import { WebhookForm } from "@/pages/webhooks/Form";
import { Button } from "@/parts/Button";
import { Drawer } from "@/parts/Drawer";
import { Code, Empty, ErrorCard, Loaded } from "@/parts/States";
import { Table, type Column } from "@/parts/Table";
import { Switch } from "@/parts/Tabs";
import { toast, toastError } from "@/parts/Toast";
import { Chip, Facts, Mark, Num, Time } from "@/parts/Values";
import "@/pages/webhooks/webhooks.css";

const STATE = { status: choice(["ALL", "PENDING", "DELIVERED", "FAILED"]) };
const STATES = [["ALL", "All"], ["PENDING", "Waiting"], ["DELIVERED", "Delivered"], ["FAILED", "Given up"]] as const;
const PAGE = 500;
const OFTEN_MS = 2000;
const SELDOM_MS = 15_000;
const WAY = [["/webhooks", "Webhooks"]] as const;

/** One webhook, and what became of each message. */
export default function Webhook({ id }: { id: string }) {
  const query = useOperation(GetWebhook, { webhook_id: id });
  const webhook = query.data?.webhook;
  if (!webhook) {
    return <Page title="Webhook" way={WAY} padded><Loaded query={query} what="The webhook">{() => null}</Loaded></Page>;
  }
  return <Deliveries webhook={webhook} />;
}

function Deliveries({ webhook }: { webhook: WebhookRecord }) {
  const go = useGo();
  const [state, set] = useUrlState(STATE);
  const [open, setOpen] = useState<"change" | "delete" | null>(null);
  const [shown, setShown] = useState<string | null>(null);
  const request = { webhook_id: webhook.webhook_id, max_results: PAGE, ...(state.status === "ALL" ? {} : { status: state.status }) };
  const list = useQuery({
    queryKey: keyOf(ListWebhookDeliveries, request),
    queryFn: ({ signal }) => call(ListWebhookDeliveries, request, signal),
    // What waits is on its way: it is looked at more often.
    refetchInterval: (query) => (query.state.data?.deliveries?.some((one) => one.status === "PENDING") ? OFTEN_MS : SELDOM_MS),
  });
  const rows = list.data?.deliveries ?? [];
  const replayFailed = () => call(ReplayFailedDeliveries, { webhook_id: webhook.webhook_id })
    .then(({ replayed }) => toast(`${counted(replayed, "delivery", "deliveries")} sent once more`), toastError).then(refreshWebhooks);
  return (
    <Page
      title={webhook.name} way={WAY} count={list.data && `${counted(rows.length, "delivery", "deliveries")}${list.data.next_page_token ? " or more" : ""}`}
      middle={<Switch label="Deliveries" options={STATES} value={state.status} onChange={(status) => set({ status }, { push: true })} />}
      actions={<>
        <Button icon="play" onClick={() => void testWebhook(webhook)}>Test</Button>
        <Button icon="edit" onClick={() => setOpen("change")}>Change</Button>
        <Button icon="pause" onClick={() => void switchWebhook(webhook)}>{webhook.status === "ACTIVE" ? "Turn off" : "Turn on"}</Button>
        <Button icon="trash" tone="bad" onClick={() => setOpen("delete")}>Delete</Button>
      </>}
    >
      <div className="webhook-facts">
        <Facts rows={[
          ["State", <WebhookState key="state" webhook={webhook} />],
          ["Address", <span key="url" className="mono">{webhook.url}</span>],
          ["Model", webhook.model_name ? <Link key="model" to={path`/models/${webhook.model_name}`}>{webhook.model_name}</Link> : "all"],
          ["Messages", webhook.payload_format === "DATABRICKS" ? "as the managed registry sends them" : "as MLflow sends them"],
          ["Signed", webhook.has_secret ? "yes" : "no"],
          ["Events", <span key="events" className="chips">{(webhook.event_names ?? []).map((name) => <Chip key={name}>{name}</Chip>)}</span>],
          ["Description", webhook.description],
        ]} />
        {rows.some((row) => row.status === "FAILED") && <Button icon="refresh" onClick={() => void replayFailed()}>Send what was given up once more</Button>}
      </div>
      {list.error ? <ErrorCard what="The deliveries could not be loaded" error={list.error} onRetry={() => void list.refetch()} /> : (
        <Table
          label="Deliveries" main columns={COLUMNS} count={rows.length} rowAt={(index) => rows[index]} keyOf={(row) => row.delivery_id}
          onOpen={(row) => setShown(row.delivery_id)} onPeek={(row) => setShown(row.delivery_id)}
          empty={list.data && rows.length === 0 && <Empty title="Nothing was sent yet. A test, or the next event, is the first message." />}
        />
      )}
      {shown && <Delivery id={shown} onClose={() => setShown(null)} />}
      {open === "change" && <WebhookForm webhook={webhook} onClose={() => setOpen(null)} onDone={() => void refreshWebhooks()} />}
      {open === "delete" && <DeleteDialog webhook={webhook} onClose={() => setOpen(null)} onDone={() => go("/webhooks")} />}
    </Page>
  );
}

const MARKS = { PENDING: ["running", "Waiting"], DELIVERED: ["ok", "Delivered"], FAILED: ["bad", "Given up"] } as const;

function DeliveryState({ status }: { status: string }) {
  const [tone, word] = MARKS[status as keyof typeof MARKS] ?? ["soft", status];
  return <Mark tone={tone}>{word}</Mark>;
}

const COLUMNS: readonly Column<WebhookDelivery>[] = ([
  { key: "status", title: "State", width: 110, frozen: true, className: "edge", cell: (row) => <DeliveryState status={row.status} /> },
  { key: "event", title: "Event", width: 240, cell: (row) => row.event },
  { key: "model", title: "Model", width: 160, cell: (row) => row.model_name },
  { key: "created", title: "Happened", width: 110, cell: (row) => <Time at={row.creation_timestamp} /> },
  { key: "tries", title: "Tries", width: 70, number: true, cell: (row) => <Num value={row.tries ?? 0} /> },
  { key: "answer", title: "Answer", width: 80, number: true, cell: (row) => row.answer_status },
  { key: "next", title: "Next try", width: 150, cell: (row) => (row.status === "PENDING" ? <Time at={row.next_try_time} /> : null) },
  { key: "error", title: "What went wrong", width: 420, cell: (row) => row.error && <span data-tip={row.error}>{row.error}</span> },
] satisfies Column<WebhookDelivery>[]).map((column) => ({
  ...column, cellMenu: (row: WebhookDelivery) => (row.status === "PENDING" ? [] : [{ label: "Send once more", icon: "refresh" as const, run: () => void replay(row) }]),
}));

function replay(row: WebhookDelivery): Promise<void> {
  return call(ReplayWebhookDelivery, { delivery_id: row.delivery_id }).then(() => toast(`${row.event} is sent once more`), toastError).then(refreshWebhooks);
}

/** A message as it was sent, and what was answered. */
function Delivery({ id, onClose }: { id: string; onClose: () => void }) {
  const query = useOperation(GetWebhookDelivery, { delivery_id: id });
  const delivery = query.data?.delivery;
  return (
    <Drawer
      label="Delivery" title={delivery?.event ?? "Delivery"} onClose={onClose}
      actions={delivery && delivery.status !== "PENDING" && <Button icon="refresh" onClick={() => void replay(delivery)}>Send once more</Button>}
    >
      <Loaded query={query} what="The delivery">
        {({ delivery: one }) => (
          <div className="stack">
            <Facts rows={[
              ["State", <DeliveryState key="state" status={one.status} />],
              ["Delivery", <span key="id" className="mono">{one.delivery_id}</span>],
              ["Tries", one.tries ?? 0],
              ["Last try", one.last_try_time ? <Time key="last" at={one.last_try_time} /> : null],
              ["Answer", one.answer_status],
              ["What went wrong", one.error],
              ["Sent again of", one.replay_of],
            ]} />
            {one.payload && <><h3>Message</h3><Code text={indented(one.payload)} /></>}
            {one.answer_excerpt && <><h3>Answer</h3><Code text={one.answer_excerpt} /></>}
          </div>
        )}
      </Loaded>
    </Drawer>
  );
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
