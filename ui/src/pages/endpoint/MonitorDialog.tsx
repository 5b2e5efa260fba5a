import { useState } from "react";
import { call } from "@/api/client";
import { refresh } from "@/api/queries";
import { DeleteMonitor, ListAlerts, ListFindings, SetMonitor, type Monitor } from "@/api/schema";
import { readThresholds, thresholdText } from "@/pages/endpoint/drift";
import { refreshMonitor } from "@/pages/endpoint/watching";
import { Checkbox, FormDialog, TextField } from "@/parts/Dialog";
import { toast } from "@/parts/Toast";

/** What a monitor looks at, how closely, and from where on it counts. */
export function MonitorDialog({ monitor, onClose }: { monitor: Monitor; onClose: () => void }) {
  const name = monitor.endpoint;
  const before = monitor.settings ?? {};
  const tagged = before.actions?.find((one) => one.kind === "tag");
  const [enabled, setEnabled] = useState(before.enabled !== false);
  const [bodies, setBodies] = useState(before.keep_bodies !== false);
  const [sample, setSample] = useState(String(100 * Number(before.sample_rate ?? 1)));
  const [rows, setRows] = useState(String(before.window_rows));
  const [least, setLeast] = useState(String(before.minimum_rows));
  const [wait, setWait] = useState(String(before.window_seconds));
  const [every, setEvery] = useState(String(before.every_seconds));
  const [raise, setRaise] = useState(String(before.raise_after));
  const [clear, setClear] = useState(String(before.clear_after));
  const [thresholds, setThresholds] = useState(thresholdText(before.thresholds ?? []));
  const [webhook, setWebhook] = useState((before.actions ?? []).some((one) => one.kind === "webhook"));
  const [key, setKey] = useState(tagged?.key ?? "");
  const [value, setValue] = useState(tagged?.value ?? "");
  const submit = async () => {
    const actions = [...(webhook ? [{ kind: "webhook" }] : []), ...(key.trim() ? [{ kind: "tag", key: key.trim(), value }] : [])];
    await call(SetMonitor, {
      name, settings: {
        ...before, enabled, keep_bodies: bodies, sample_rate: Number(sample) / 100, window_rows: Number(rows), minimum_rows: Number(least), window_seconds: Number(wait),
        every_seconds: Number(every), raise_after: Number(raise), clear_after: Number(clear), thresholds: readThresholds(thresholds), actions,
      },
    });
    toast(`The monitor of ${name} is changed`, { undo: () => call(SetMonitor, { name, settings: before }).then(refreshMonitor) });
    await refreshMonitor();
  };
  return (
    <FormDialog title={`Monitor of ${name}`} action="Save" width={560} onSubmit={submit} onClose={onClose}>
      <Checkbox label="Watch this endpoint" checked={enabled} onChange={setEnabled} />
      <Checkbox label="Keep what is asked and answered" checked={bodies} onChange={setBodies} />
      <TextField label="Requests that are kept, in percent" value={sample} onChange={setSample} type="number" />
      <TextField label="Rows of a window" value={rows} onChange={setRows} type="number" />
      <TextField label="Rows of a window, at least" value={least} onChange={setLeast} type="number" />
      <TextField label="Seconds until such a smaller window is looked at" value={wait} onChange={setWait} type="number" />
      <TextField label="Seconds between two looks" value={every} onChange={setEvery} type="number" />
      <TextField label="Windows until an alert is raised" value={raise} onChange={setRaise} type="number" />
      <TextField label="Windows until it is cleared" value={clear} onChange={setClear} type="number" />
      <TextField label="Thresholds" value={thresholds} onChange={setThresholds} lines={3} mono placeholder="psi:income=0.1" hint="One a line: psi=0.2 for every column, psi:income=0.1 for one. Without any, the usual ones." />
      <Checkbox label="Tell webhooks of alerts" checked={webhook} onChange={setWebhook} />
      <TextField label="Tag of the model while alerts are open" value={key} onChange={setKey} placeholder="retrain" />
      {key.trim() !== "" && <TextField label="Value of the tag" value={value} onChange={setValue} />}
    </FormDialog>
  );
}

/** Stopping loses what was recorded. */
export function StopDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const stop = () => call(DeleteMonitor, { name }).then(() => {
    toast(`${name} is not watched any more`);
    return Promise.all([refreshMonitor(), refresh(ListAlerts, ListFindings)]);
  });
  return (
    <FormDialog title={`Stop watching ${name}`} action="Stop watching" tone="bad" onSubmit={stop} onClose={onClose}>
      <p>The requests that were kept, what was found in them, and the alerts are removed.</p>
    </FormDialog>
  );
}
