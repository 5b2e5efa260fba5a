import { Suspense, useState } from "react";
import { call } from "@/api/client";
import { queryClient, refresh } from "@/api/queries";
import { DeleteExperiment, GetExperiment, RestoreExperiment } from "@/api/schema";
import { counted } from "@/base/format";
import type { ExperimentRow } from "@/pages/experiments/columns";
import { Button, IconButton } from "@/parts/Button";
import { toast, toastError } from "@/parts/Toast";
import { lazily } from "@/parts/lazily";

// Not part of the first page.
export const RenameExperiment = lazily(() => import("@/pages/experiments/dialogs").then((dialogs) => ({ default: dialogs.RenameExperiment })));
export const ExperimentTags = lazily(() => import("@/pages/experiments/dialogs").then((dialogs) => ({ default: dialogs.ExperimentTags })));
export const NewExperiment = lazily(() => import("@/pages/experiments/dialogs").then((dialogs) => ({ default: dialogs.NewExperiment })));
const TagExperiments = lazily(() => import("@/pages/experiments/dialogs").then((dialogs) => ({ default: dialogs.TagExperiments })));

export const OVERVIEW = "experiments overview";

/** Reads again what shows experiments. */
export async function refreshExperiments(): Promise<void> {
  await Promise.all([queryClient.invalidateQueries({ queryKey: [OVERVIEW] }), refresh(GetExperiment)]);
}

/** Does it for each experiment, one after the other, and reads them again. */
export async function each(ids: readonly string[], run: (id: string) => Promise<unknown>): Promise<void> {
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
      <Suspense fallback={null}>
        {open === "rename" && first && <RenameExperiment id={first.experiment_id} name={first.name} onClose={() => setOpen(null)} />}
        {open === "tag" && <TagExperiments rows={rows} title={`Tag ${told(rows)}`} onClose={() => setOpen(null)} />}
      </Suspense>
    </div>
  );
}
