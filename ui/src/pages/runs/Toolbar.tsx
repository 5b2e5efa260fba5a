import { Suspense, useState } from "react";
import type { Experiment, RunColumn } from "@/api/schema";
import type { StateOf } from "@/base/url";
import { deleteExperiments, ExperimentTags, RenameExperiment } from "@/pages/experiments/actions";
import { download } from "@/pages/runs/bulk";
import { kindOf, titleOf, type STATE } from "@/pages/runs/state";
import { Views } from "@/pages/runs/Views";
import { Button } from "@/parts/Button";
import { MenuButton, type MenuItem } from "@/parts/Menu";
import { Switch } from "@/parts/Tabs";
import { useGo } from "@/frame/router";

type State = StateOf<typeof STATE>;

interface Props {
  id: string;
  experiment: Experiment | undefined;
  state: State;
  set: (change: Partial<State>, options?: { push?: boolean }) => void;
  columns: readonly string[];
  order: readonly string[];
  onColumns: () => void;
  expanded: ReadonlySet<string> | "all";
  onExpand: (expanded: ReadonlySet<string> | "all") => void;
  known: ReadonlyMap<string, RunColumn>;
  /** Whether the first rows are there. */
  ready: boolean;
}

/** What the bar of the runs page offers. */
export function Toolbar({ id, experiment, state, set, columns, order, onColumns, expanded, onExpand, known, ready }: Props) {
  const [edited, setEdited] = useState<"rename" | "tags" | null>(null);
  const go = useGo();
  const push = { push: true };
  const save = (all: boolean, format: "csv" | "jsonl") => download({
    experimentId: id, filter: state.q, order, columns: all ? null : columns, format, deleted: state.stage === "deleted",
  });
  const choices = [...known.values()].filter((column) => column.kind !== "metric" && column.distinct > 1 && !column.key.startsWith("mlflow.")).slice(0, 40)
    .map((column) => `${kindOf(column.kind)}.${column.key}`);
  const groups: MenuItem[] = ["attributes.status", ...new Set([...choices, ...state.group])].map((column) => ({
    label: titleOf(column), checked: state.group.includes(column),
    run: () => set({ group: state.group.includes(column) ? state.group.filter((other) => other !== column) : [...state.group, column] }, push),
  }));
  const more: MenuItem[] = [
    { label: "Varying columns only", checked: state.varying, run: () => set({ varying: !state.varying }, push) },
    { label: "Parents and children", checked: state.tree, run: () => set({ tree: !state.tree }, push) },
    ...(state.tree ? [{ label: "Open all parents", checked: expanded === "all", run: () => onExpand(expanded === "all" ? new Set<string>() : "all") }] : []),
    { label: "Deleted runs", checked: state.stage === "deleted", run: () => set({ stage: state.stage === "deleted" ? "active" : "deleted", sel: [] }, push) },
    { label: "CSV of these columns", icon: "download", section: "All runs of the filter", run: () => save(false, "csv") },
    { label: "CSV of everything", icon: "download", run: () => save(true, "csv") },
    { label: "JSON lines of everything", icon: "download", run: () => save(true, "jsonl") },
    { label: "Rename the experiment", icon: "edit", section: "Experiment", run: () => setEdited("rename") },
    { label: "Tags of the experiment", icon: "tag", run: () => setEdited("tags") },
    { label: "Delete the experiment", icon: "trash", tone: "bad", run: () => void (experiment && deleteExperiments([experiment]).then(() => go("/"))) },
  ];
  return (
    <>
      <Switch label="View" options={[["table", "Table"], ["charts", "Charts"], ["split", "Split"]]} value={state.view} onChange={(view) => set({ view }, push)} />
      <Button icon="columns" onClick={onColumns}>Columns</Button>
      <MenuButton label="Group runs" icon="group" items={state.group.length > 0 ? [...groups, { label: "No groups", section: true, icon: "close", run: () => set({ group: [] }, push) }] : groups}>
        {state.group.length > 0 ? `By ${state.group.map(titleOf).join(", ")}` : "Group"}
      </MenuButton>
      <Views experimentId={id} ready={ready} />
      <MenuButton label="More" items={more} />
      <Suspense fallback={null}>
        {edited === "rename" && experiment && <RenameExperiment id={id} name={experiment.name} onClose={() => setEdited(null)} />}
        {edited === "tags" && experiment && <ExperimentTags row={experiment} onClose={() => setEdited(null)} />}
      </Suspense>
    </>
  );
}
