import { useState } from "react";
import { queryClient, refresh, useOperation } from "@/api/queries";
import { GetRun, OverviewExperiments } from "@/api/schema";
import { count, counted } from "@/base/format";
import { useKeys } from "@/base/keys";
import { path, useGo } from "@/frame/router";
import { changeRuns, download, filterOf, idsOf, moveRuns, type Action, type Chosen } from "@/pages/runs/bulk";
import { Button, IconButton } from "@/parts/Button";
import { FormDialog, Select } from "@/parts/Dialog";
import { TagDialog } from "@/parts/TagEditor";
import { toast, toastError } from "@/parts/Toast";

interface Props {
  chosen: Chosen;
  /** The columns of the table and its order, for what is downloaded. */
  columns: readonly string[];
  order: readonly string[];
  /** After rows have come or gone. */
  onDone: () => void;
  onClear: () => void;
}

// More than these are compared by the filter, or not at all.
const MOST_COMPARED = 1000;

/** What can be done with the selected runs, at the foot of the table. */
export function RunActions({ chosen, columns, order, onDone, onClear }: Props) {
  const { ids, deleted, experimentId, size } = chosen;
  const [open, setOpen] = useState<"tag" | "move" | null>(null);
  const [done, setDone] = useState<number | null>(null);
  const go = useGo();
  const told = counted(size, "run");
  const after = () => {
    setDone(null);
    onDone();
    void Promise.all([refresh(GetRun), queryClient.invalidateQueries({ queryKey: ["experiments overview"] })]);
  };
  const change = (runs: Pick<Chosen, "experimentId" | "ids"> & Partial<Chosen>, action: Action) => changeRuns(runs, action, setDone).finally(after);
  const changed = (action: "delete" | "restore") => change(chosen, { action }).then((runs) => {
    onClear();
    const back = action === "delete" ? "restore" : "delete";
    toast(`${action === "delete" ? "Deleted" : "Restored"} ${counted(runs.length, "run")}`, { undo: () => change({ experimentId, ids: runs }, { action: back }) });
  }, toastError);
  const byFilter = ids === null && chosen.except.length === 0 && !deleted;
  const comparable = size > 1 && (byFilter || size <= MOST_COMPARED);
  const compare = () => {
    if (byFilter) go(`/compare?exp=${encodeURIComponent(experimentId)}${chosen.filter ? `&q=${encodeURIComponent(chosen.filter)}` : ""}`);
    else idsOf(chosen).then((runs) => go(`/compare?sel=${runs.map(encodeURIComponent).join(",")}`), toastError);
  };
  const filter = filterOf(chosen);
  useKeys([{ keys: "c", what: "Compare the selected runs", group: "Table", run: compare }], comparable);
  return (
    <div className="selection-bar" role="region" aria-label="Selected runs">
      <span role="status">{done === null ? `${ids === null && chosen.except.length === 0 ? `All ${told}` : told} selected` : `${count(done)} of ${told} done…`}</span>
      <Button icon="compare" keys="c" disabled={!comparable} onClick={compare}>Compare</Button>
      {ids?.length === 1 && <Button icon="external" onClick={() => go(path`/run/${ids[0] ?? ""}`)}>Open</Button>}
      {filter !== null && <Button icon="download" tip="These columns, of the selected runs" onClick={() => download({ experimentId, filter, order, columns, format: "csv", deleted })}>CSV</Button>}
      {deleted ? <Button icon="restore" disabled={done !== null} onClick={() => changed("restore")}>Restore</Button> : <>
        <Button icon="tag" onClick={() => setOpen("tag")}>Tag</Button>
        <Button icon="folder" onClick={() => setOpen("move")}>Move</Button>
        <Button icon="trash" tone="bad" disabled={done !== null} onClick={() => changed("delete")}>Delete</Button>
      </>}
      <span className="grow" /><IconButton icon="close" label="Clear the selection" keys="Esc" onClick={onClear} />
      {open === "tag" && <TagDialog
        tag={{ key: "", value: "" }} title={`Tag ${told}`} onClose={() => setOpen(null)}
        onSet={(key, value) => change(chosen, { action: "tag", key, value })}
      />}
      {open === "move" && <MoveDialog chosen={chosen} onClose={() => setOpen(null)} onMoved={() => {
        onClear();
        after();
      }} />}
    </div>
  );
}

function MoveDialog({ chosen: runs, onClose, onMoved }: { chosen: Chosen; onClose: () => void; onMoved: () => void }) {
  const [chosen, setChosen] = useState("");
  const experiments = useOperation(OverviewExperiments, { order_by: "name ASC", limit: 1000 });
  const options = (experiments.data?.experiments ?? []).map((experiment) => [experiment.experiment_id, experiment.name] as const);
  return (
    <FormDialog
      title={`Move ${counted(runs.size, "run")}`} action="Move" disabled={!chosen} onClose={onClose}
      onSubmit={() => moveRuns(runs, chosen).then(() => {
        toast(`Moved ${counted(runs.size, "run")}`);
        onMoved();
      })}
    >
      <Select label="To the experiment" value={chosen} onChange={setChosen} options={[["", "Choose…"], ...options]} />
    </FormDialog>
  );
}
