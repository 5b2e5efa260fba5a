// What changes a run: its name, note and tags, deleting and restoring it.
import { useState } from "react";
import { call } from "@/api/client";
import { queryClient, refresh } from "@/api/queries";
import { DeleteRun, DeleteTag, GetRun, RestoreRun, SetTag, UpdateRun, type Run } from "@/api/schema";
import { NOTE, tagOf } from "@/pages/run/state";
import { FormDialog, TextField } from "@/parts/Dialog";
import { Markdown } from "@/parts/Sanitised";
import { Switch } from "@/parts/Tabs";
import { toast, toastError } from "@/parts/Toast";

export async function refreshRun(): Promise<void> {
  await Promise.all([refresh(GetRun), queryClient.invalidateQueries({ queryKey: ["runs"] })]);
}

export function setTag(runId: string, key: string, value: string): Promise<void> {
  return call(SetTag, { run_id: runId, key, value }).then(refreshRun);
}

export function deleteTag(runId: string, key: string): Promise<void> {
  return call(DeleteTag, { run_id: runId, key }).then(refreshRun);
}

const remove = (run_id: string) => call(DeleteRun, { run_id }).then(refreshRun);
const restore = (run_id: string) => call(RestoreRun, { run_id }).then(refreshRun);

export function deleteRun(run: Run): void {
  const { run_id: id, run_name: name } = run.info;
  remove(id).then(() => toast(`Deleted ${name ?? id}`, { undo: () => restore(id) }), toastError);
}

export function restoreRun(run: Run): void {
  const { run_id: id, run_name: name } = run.info;
  restore(id).then(() => toast(`Restored ${name ?? id}`, { undo: () => remove(id) }), toastError);
}

export function RenameDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const before = run.info.run_name ?? "";
  const [name, setName] = useState(before);
  const rename = (to: string) => call(UpdateRun, { run_id: run.info.run_id, run_name: to }).then(refreshRun);
  return (
    <FormDialog
      title="Rename the run" action="Rename" disabled={!name.trim()} onClose={onClose}
      onSubmit={() => rename(name.trim()).then(() => toast(`Renamed to ${name.trim()}`, { undo: () => rename(before) }))}
    >
      <TextField label="Name" value={name} onChange={setName} focus />
    </FormDialog>
  );
}

/** The note in Markdown, written or as it will look. */
export function NoteDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const before = tagOf(run, NOTE) ?? "";
  const [text, setText] = useState(before);
  const [shown, setShown] = useState<"write" | "preview">("write");
  const save = (to: string) => (to ? setTag(run.info.run_id, NOTE, to) : deleteTag(run.info.run_id, NOTE));
  return (
    <FormDialog
      title="Note" action="Save" width={720} disabled={text === before} onClose={onClose}
      onSubmit={() => save(text).then(() => toast("Saved the note", { undo: () => save(before) }))}
    >
      <div><Switch label="Write or preview" options={[["write", "Write"], ["preview", "Preview"]]} value={shown} onChange={setShown} /></div>
      {shown === "write"
        ? <TextField label="Markdown" value={text} onChange={setText} lines={14} focus mono />
        : <div className="note-preview scroll" tabIndex={0} role="region" aria-label="Preview">{text ? <Markdown text={text} /> : <p className="soft">There is nothing to show.</p>}</div>}
    </FormDialog>
  );
}
