import { useState } from "react";
import { call } from "@/api/client";
import { queryClient, refresh } from "@/api/queries";
import { DeleteRun, GetRun, MoveRuns, OverviewExperiments, RestoreRun, SetTag } from "@/api/schema";
import { counted } from "@/base/format";
import { useKeys } from "@/base/keys";
import { path, useGo } from "@/frame/router";
import { useOperation } from "@/api/queries";
import { Button, IconButton } from "@/parts/Button";
import { FormDialog, Select } from "@/parts/Dialog";
import { TagDialog } from "@/parts/TagEditor";
import { toast, toastError } from "@/parts/Toast";

const AT_ONCE = 6;

async function each(ids: readonly string[], run: (id: string) => Promise<unknown>): Promise<void> {
  const left = [...ids];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) await run(id);
  }));
}

interface Props {
  ids: readonly string[];
  deleted: boolean;
  /** After rows have come or gone. */
  onDone: () => void;
  onClear: () => void;
}

/** What can be done with the selected runs, at the foot of the table. */
export function RunActions({ ids, deleted, onDone, onClear }: Props) {
  const [open, setOpen] = useState<"tag" | "move" | null>(null);
  const go = useGo();
  const told = counted(ids.length, "run");
  const after = () => {
    onDone();
    void Promise.all([refresh(GetRun), queryClient.invalidateQueries({ queryKey: ["experiments overview"] })]);
  };
  const restore = (runs: readonly string[]) => each(runs, (run_id) => call(RestoreRun, { run_id })).finally(after);
  const remove = (runs: readonly string[]) => each(runs, (run_id) => call(DeleteRun, { run_id })).finally(after);
  const compare = () => go(`/compare?sel=${ids.map(encodeURIComponent).join(",")}`);
  useKeys([{ keys: "c", what: "Compare the selected runs", group: "Table", run: compare }], ids.length > 1);
  return (
    <div className="selection-bar" role="region" aria-label="Selected runs">
      <span role="status">{told} selected</span>
      <Button icon="compare" keys="c" disabled={ids.length < 2} onClick={compare}>Compare</Button>
      {ids.length === 1 && <Button icon="external" onClick={() => go(path`/run/${ids[0] ?? ""}`)}>Open</Button>}
      {deleted ? <Button icon="restore" onClick={() => restore(ids).then(() => {
        onClear();
        toast(`Restored ${told}`, { undo: () => remove(ids) });
      }, toastError)}>Restore</Button> : <>
        <Button icon="tag" onClick={() => setOpen("tag")}>Tag</Button>
        <Button icon="folder" onClick={() => setOpen("move")}>Move</Button>
        <Button icon="trash" tone="bad" onClick={() => remove(ids).then(() => {
          onClear();
          toast(`Deleted ${told}`, { undo: () => restore(ids) });
        }, toastError)}>Delete</Button>
      </>}
      <span className="grow" /><IconButton icon="close" label="Clear the selection" keys="Esc" onClick={onClear} />
      {open === "tag" && <TagDialog
        tag={{ key: "", value: "" }} title={`Tag ${told}`} onClose={() => setOpen(null)}
        onSet={(key, value) => each(ids, (run_id) => call(SetTag, { run_id, key, value })).finally(after)}
      />}
      {open === "move" && <MoveDialog ids={ids} onClose={() => setOpen(null)} onMoved={() => {
        onClear();
        after();
      }} />}
    </div>
  );
}

function MoveDialog({ ids, onClose, onMoved }: { ids: readonly string[]; onClose: () => void; onMoved: () => void }) {
  const [chosen, setChosen] = useState("");
  const experiments = useOperation(OverviewExperiments, { order_by: "name ASC", limit: 1000 });
  const options = (experiments.data?.experiments ?? []).map((experiment) => [experiment.experiment_id, experiment.name] as const);
  return (
    <FormDialog
      title={`Move ${counted(ids.length, "run")}`} action="Move" disabled={!chosen} onClose={onClose}
      onSubmit={() => call(MoveRuns, { run_ids: [...ids], experiment_id: chosen }).then(() => {
        toast(`Moved ${counted(ids.length, "run")}`);
        onMoved();
      })}
    >
      <Select label="To the experiment" value={chosen} onChange={setChosen} options={[["", "Choose…"], ...options]} />
    </FormDialog>
  );
}
