import { useState } from "react";
import { call } from "@/api/client";
import { refresh } from "@/api/queries";
import {
  CheckTransition, CreateRegisteredModel, DeleteRegisteredModel, DeleteRegisteredModelTag, GetModelVersion, GetRegisteredModel, ListComments, ListEndpoints,
  ListModelRules, ListRegistryActivities, OverviewModels, RenameRegisteredModel, SearchModelVersions, SearchTransitionRequests, SetRegisteredModelTag, UpdateRegisteredModel,
} from "@/api/schema";
import { useEvents } from "@/api/events";
import { counted } from "@/base/format";
import { Dialog, FormDialog, TextField } from "@/parts/Dialog";
import { TagEditor } from "@/parts/TagEditor";
import type { Tag } from "@/parts/tags";
import { toast } from "@/parts/Toast";

const ELSEWHERE: ReadonlySet<string> = new Set(["run", "experiment"]);

/** Reads again what shows registered models and their versions. */
export async function refreshModels(): Promise<void> {
  await refresh(
    OverviewModels, GetRegisteredModel, SearchModelVersions, GetModelVersion, ListRegistryActivities, ListComments, SearchTransitionRequests,
    ListModelRules, CheckTransition, ListEndpoints,
  );
}

/** Reads again what shows registered models whenever one changes anywhere. */
export function useLiveModels(): void {
  useEvents({}, ({ changes = [], reset }) => {
    if (reset || changes.some((change) => !ELSEWHERE.has(change.kind))) void refreshModels();
  });
}

export function NewModel({ onClose, onMade }: { onClose: () => void; onMade: (name: string) => void }) {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const made = name.trim();
  return (
    <FormDialog
      title="New registered model" action="Create" disabled={!made} onClose={onClose}
      onSubmit={async () => {
        await call(CreateRegisteredModel, { name: made, ...(description.trim() ? { description } : {}) });
        await refreshModels();
        onMade(made);
      }}
    >
      <TextField label="Name" value={name} onChange={setName} focus />
      <TextField label="Description" value={description} onChange={setDescription} lines={4} hint="Markdown. It can be changed later." />
    </FormDialog>
  );
}

export function RenameModel({ name, onClose, onDone }: { name: string; onClose: () => void; onDone?: (name: string) => void }) {
  const [next, setNext] = useState(name);
  const rename = async (from: string, to: string) => {
    await call(RenameRegisteredModel, { name: from, new_name: to });
    await refresh(OverviewModels);
    onDone?.(to);
    void refreshModels();
  };
  const to = next.trim();
  return (
    <FormDialog
      title={`Rename ${name}`} action="Rename" disabled={!to || to === name} onClose={onClose}
      onSubmit={() => rename(name, to).then(() => toast(`Renamed to ${to}`, { undo: () => rename(to, name) }))}
    >
      <p>Its versions go along. Programs that load it by the old name do not find it any more.</p>
      <TextField label="Name" value={next} onChange={setNext} focus />
    </FormDialog>
  );
}

export function DeleteModel({ name, versions, onClose, onDone }: { name: string; versions: number; onClose: () => void; onDone?: () => void }) {
  const [typed, setTyped] = useState("");
  return (
    <FormDialog
      title={`Delete ${name}`} action="Delete" tone="bad" disabled={versions > 0 && typed !== name} onClose={onClose}
      onSubmit={async () => {
        await call(DeleteRegisteredModel, { name });
        toast(`Deleted ${name}`);
        onDone?.();
        await refreshModels();
      }}
    >
      <p>{versions > 0 ? `${counted(versions, "version")} and all aliases go with it` : "It has no versions"}. The files of the runs stay. This cannot be taken back.</p>
      {versions > 0 && <TextField label={`Type ${name} to delete it`} value={typed} onChange={setTyped} focus />}
    </FormDialog>
  );
}

/** Changes the text that describes something; `save` of an empty text removes it. */
export function DescribeDialog({ title, text, save, onClose }: { title: string; text: string; save: (text: string) => Promise<unknown>; onClose: () => void }) {
  const [next, setNext] = useState(text);
  return (
    <FormDialog title={title} action="Save" width={620} disabled={next === text} onClose={onClose} onSubmit={() => save(next).then(refreshModels).then(() => toast("Description saved", { undo: () => save(text).then(refreshModels) }))}>
      <TextField label="Description" value={next} onChange={setNext} lines={10} focus hint="Markdown" />
    </FormDialog>
  );
}

export function DescribeModel({ name, text, onClose }: { name: string; text: string; onClose: () => void }) {
  return <DescribeDialog title={`Describe ${name}`} text={text} onClose={onClose} save={(next) => call(UpdateRegisteredModel, { name, ...(next ? { description: next } : {}) })} />;
}

/** The tags of a registered model, to add, change and remove. */
export function ModelTags({ name, tags }: { name: string; tags: readonly Tag[] }) {
  return (
    <TagEditor
      tags={tags}
      onSet={(key, value) => call(SetRegisteredModelTag, { name, key, value }).then(refreshModels)}
      onDelete={(key) => call(DeleteRegisteredModelTag, { name, key }).then(refreshModels)}
    />
  );
}

export function ModelTagsDialog({ name, tags, onClose }: { name: string; tags: readonly Tag[]; onClose: () => void }) {
  return <Dialog title={`Tags of ${name}`} onClose={onClose}><div className="dialog-body"><ModelTags name={name} tags={tags} /></div></Dialog>;
}
