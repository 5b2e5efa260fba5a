import { useState } from "react";
import { call } from "@/api/client";
import { queryClient, refresh } from "@/api/queries";
import { CreateExperiment, DeleteExperiment, DeleteExperimentTag, GetExperiment, RestoreExperiment, SetExperimentTag, UpdateExperiment } from "@/api/schema";
import { counted } from "@/base/format";
import type { ExperimentRow } from "@/pages/experiments/columns";
import { Button, IconButton } from "@/parts/Button";
import { Dialog, FormDialog, TextField } from "@/parts/Dialog";
import { TagDialog, TagEditor } from "@/parts/TagEditor";
import { toast, toastError } from "@/parts/Toast";

export const OVERVIEW = "experiments overview";

/** Reads again what shows experiments. */
export async function refreshExperiments(): Promise<void> {
  await Promise.all([queryClient.invalidateQueries({ queryKey: [OVERVIEW] }), refresh(GetExperiment)]);
}

async function each(ids: readonly string[], run: (id: string) => Promise<unknown>): Promise<void> {
  try {
    for (const id of ids) await run(id);
  } finally {
    await refreshExperiments();
  }
}

const restore = (ids: readonly string[]) => each(ids, (id) => call(RestoreExperiment, { experiment_id: id }));
const remove = (ids: readonly string[]) => each(ids, (id) => call(DeleteExperiment, { experiment_id: id }));

export function deleteExperiments(rows: readonly { experiment_id: string; name: string }[]): Promise<void> {
  const ids = rows.map((row) => row.experiment_id);
  return remove(ids).then(() => toast(`Deleted ${told(rows)}`, { undo: () => restore(ids) }), toastError);
}

export function restoreExperiments(rows: readonly { experiment_id: string; name: string }[]): Promise<void> {
  const ids = rows.map((row) => row.experiment_id);
  return restore(ids).then(() => toast(`Restored ${told(rows)}`, { undo: () => remove(ids) }), toastError);
}

function told(rows: readonly { name: string }[]): string {
  return rows.length === 1 ? rows[0]?.name ?? "" : counted(rows.length, "experiment");
}

/** What can be done with the selected experiments, at the foot of the table. */
export function ExperimentActions({ rows, deleted, onClear }: { rows: readonly ExperimentRow[]; deleted: boolean; onClear: () => void }) {
  const [open, setOpen] = useState<"rename" | "tag" | null>(null);
  const [first] = rows;
  return (
    <div className="selection-bar" role="region" aria-label="Selected experiments">
      <span>{counted(rows.length, "experiment")} selected</span>
      {deleted ? <Button icon="restore" onClick={() => void restoreExperiments(rows).then(onClear)}>Restore</Button> : <>
        {rows.length === 1 && <Button icon="edit" onClick={() => setOpen("rename")}>Rename</Button>}
        <Button icon="tag" onClick={() => setOpen("tag")}>Tag</Button>
        <Button icon="trash" tone="bad" onClick={() => void deleteExperiments(rows).then(onClear)}>Delete</Button>
      </>}
      <span className="grow" /><IconButton icon="close" label="Clear the selection" keys="Esc" onClick={onClear} />
      {open === "rename" && first && <RenameExperiment id={first.experiment_id} name={first.name} onClose={() => setOpen(null)} />}
      {open === "tag" && <TagDialog
        tag={{ key: "", value: "" }} title={`Tag ${told(rows)}`} onClose={() => setOpen(null)}
        onSet={(key, value) => each(rows.map((row) => row.experiment_id), (id) => call(SetExperimentTag, { experiment_id: id, key, value }))}
      />}
    </div>
  );
}

export function RenameExperiment({ id, name, onClose }: { id: string; name: string; onClose: () => void }) {
  const [next, setNext] = useState(name);
  const rename = (to: string) => call(UpdateExperiment, { experiment_id: id, new_name: to }).then(refreshExperiments);
  return (
    <FormDialog
      title={`Rename ${name}`} action="Rename" disabled={!next.trim() || next === name} onClose={onClose}
      onSubmit={() => rename(next.trim()).then(() => toast(`Renamed to ${next.trim()}`, { undo: () => rename(name) }))}
    >
      <TextField label="Name" value={next} onChange={setNext} focus />
    </FormDialog>
  );
}

/** Tags of one experiment, to add, change and remove. */
export function ExperimentTags({ row, onClose }: { row: Pick<ExperimentRow, "experiment_id" | "name" | "tags">; onClose: () => void }) {
  return (
    <Dialog title={`Tags of ${row.name}`} onClose={onClose}>
      <div className="dialog-body">
        <TagEditor
          tags={row.tags ?? []}
          onSet={(key, value) => call(SetExperimentTag, { experiment_id: row.experiment_id, key, value }).then(refreshExperiments)}
          onDelete={(key) => call(DeleteExperimentTag, { experiment_id: row.experiment_id, key }).then(refreshExperiments)}
        />
      </div>
    </Dialog>
  );
}

export function NewExperiment({ onClose, onMade }: { onClose: () => void; onMade: (id: string) => void }) {
  const [name, setName] = useState("");
  const [location, setLocation] = useState("");
  return (
    <FormDialog
      title="New experiment" action="Create" disabled={!name.trim()} onClose={onClose}
      onSubmit={async () => {
        const made = await call(CreateExperiment, { name: name.trim(), ...(location.trim() ? { artifact_location: location.trim() } : {}) });
        await refreshExperiments();
        onMade(made.experiment_id);
      }}
    >
      <TextField label="Name" value={name} onChange={setName} focus />
      <TextField label="Artifact location" value={location} onChange={setLocation} mono hint="Left empty, the server chooses." />
    </FormDialog>
  );
}
