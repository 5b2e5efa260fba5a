// Dialogs about experiments, loaded when the first of them is opened.
import { useState } from "react";
import { call } from "@/api/client";
import { CreateExperiment, DeleteExperimentTag, SetExperimentTag, UpdateExperiment } from "@/api/schema";
import { each, refreshExperiments } from "@/pages/experiments/actions";
import type { ExperimentRow } from "@/pages/experiments/columns";
import { Dialog, FormDialog, TextField } from "@/parts/Dialog";
import { TagDialog, TagEditor } from "@/parts/TagEditor";
import { toast } from "@/parts/Toast";

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

/** Sets a tag of several experiments. */
export function TagExperiments({ rows, title, onClose }: { rows: readonly ExperimentRow[]; title: string; onClose: () => void }) {
  return (
    <TagDialog
      tag={{ key: "", value: "" }} title={title} onClose={onClose}
      onSet={(key, value) => each(rows.map((row) => row.experiment_id), (id) => call(SetExperimentTag, { experiment_id: id, key, value }))}
    />
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
