import { useState } from "react";
import { call } from "@/api/client";
import { CreateWebhook, UpdateWebhook, type WebhookRecord } from "@/api/schema";
import { ANY, chosenOf, EVENTS, withAction, words } from "@/pages/webhooks/events";
import { Checkbox, FormDialog, Select, TextField } from "@/parts/Dialog";
import { toast } from "@/parts/Toast";
import "@/pages/webhooks/webhooks.css";

const FORMATS = [["MLFLOW", "As MLflow sends them"], ["DATABRICKS", "As the managed registry sends them"]] as const;

interface Props {
  /** The one that is changed; none for a new one. */
  webhook?: WebhookRecord;
  /** The registered model that a new one is of. */
  model?: string;
  onClose: () => void;
  onDone: (webhook: WebhookRecord) => void;
}

/** A webhook to make or to change. */
export function WebhookForm({ webhook, model, onClose, onDone }: Props) {
  const [name, setName] = useState(webhook?.name ?? "");
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [of, setOf] = useState(webhook?.model_name ?? model ?? "");
  const [format, setFormat] = useState(webhook?.payload_format ?? FORMATS[0][0]);
  const [secret, setSecret] = useState("");
  const [authorization, setAuthorization] = useState("");
  const [verified, setVerified] = useState(webhook?.enable_ssl_verification ?? true);
  const [events, setEvents] = useState<ReadonlySet<string>>(new Set(webhook?.event_names ?? ["model_version.*", "model_version_alias.*"]));
  const submit = async () => {
    const shared = {
      name: name.trim(), url: url.trim(), events: [...events], payload_format: format, enable_ssl_verification: verified,
      ...(secret ? { secret } : {}), ...(authorization ? { authorization } : {}),
    };
    const answer = await (webhook
      ? call(UpdateWebhook, { ...shared, webhook_id: webhook.webhook_id })
      : call(CreateWebhook, { ...shared, ...(of.trim() ? { model_name: of.trim() } : {}) }));
    toast(webhook ? `Changed ${answer.webhook.name}` : `Created ${answer.webhook.name}`);
    onDone(answer.webhook);
  };
  const kept = (there: boolean | undefined) => (there ? "One is kept. Left empty, it stays." : "Left empty, there is none.");
  return (
    <FormDialog title={webhook ? `Change ${webhook.name}` : "New webhook"} action={webhook ? "Save" : "Create"} width={620} disabled={!name.trim() || !url.trim() || events.size === 0} onSubmit={submit} onClose={onClose}>
      <TextField label="Name" value={name} onChange={setName} focus />
      <TextField label="Address" value={url} onChange={setUrl} mono placeholder="https://ci.example.com/hooks/models" hint="It is called with POST. Addresses of the own network are refused unless the server allows them." />
      {!webhook && <TextField label="Registered model" value={of} onChange={setOf} hint="Left empty, it hears of all models." />}
      <Select label="Messages" value={format} onChange={setFormat} options={FORMATS} />
      <TextField label="Secret" value={secret} onChange={setSecret} type="password" hint={`It signs each message. ${kept(webhook?.has_secret)}`} />
      <TextField label="Authorization header" value={authorization} onChange={setAuthorization} type="password" hint={`Sent along, to start a job of CI for example. ${kept(webhook?.has_authorization)}`} />
      <Checkbox label="Check the certificate of the receiver" checked={verified} onChange={setVerified} />
      <fieldset className="webhook-events">
        <legend className="field-label">Events</legend>
        <Checkbox label="All events" checked={events.has(ANY)} onChange={(on) => setEvents(new Set(on ? [ANY] : []))} />
        {Object.entries(EVENTS).map(([entity, actions]) => (
          <div key={entity} className="webhook-entity" role="group" aria-label={words(entity)}>
            <span className="soft">{words(entity)}</span>
            <div className="webhook-actions">
              {actions.map((action) => (
                <Checkbox
                  key={action} label={words(action).toLowerCase()} checked={chosenOf(events, entity).has(action)}
                  onChange={(on) => setEvents(withAction(events, entity, action, on))}
                />
              ))}
            </div>
          </div>
        ))}
      </fieldset>
    </FormDialog>
  );
}
