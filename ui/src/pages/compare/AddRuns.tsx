import { useMemo, useState } from "react";
import { useOperation } from "@/api/queries";
import { OverviewExperiments, QueryRuns } from "@/api/schema";
import { counted } from "@/base/format";
import { Button } from "@/parts/Button";
import { Dialog, Select } from "@/parts/Dialog";
import { FilterBox } from "@/parts/FilterBox";
import { RUN_WORDS } from "@/parts/filter";
import { Empty, Loaded } from "@/parts/States";
import { Table, type Column } from "@/parts/Table";
import { RunStatus, Time } from "@/parts/Values";

interface Props {
  /** The runs that are compared already. */
  there: readonly string[];
  onAdd: (ids: readonly string[]) => void;
  onClose: () => void;
}

interface Row {
  id: string;
  name: string;
  status: string;
  start: number | null;
}

const MOST = 1000;
const COLUMNS: readonly Column<Row>[] = [
  { key: "name", title: "Run", width: 260, cell: (row) => <span className="cut">{row.name}</span> },
  { key: "status", title: "Status", width: 100, cell: (row) => <RunStatus status={row.status} quiet /> },
  { key: "start", title: "Started", width: 110, number: true, cell: (row) => <Time at={row.start} /> },
];

/** Chooses runs of any experiment that are to be compared, too. */
export default function AddRuns({ there, onAdd, onClose }: Props) {
  const [experiment, setExperiment] = useState("");
  const [filter, setFilter] = useState("");
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const experiments = useOperation(OverviewExperiments, { limit: 200 });
  const id = experiment || experiments.data?.experiments?.[0]?.experiment_id || "";
  const runs = useOperation(QueryRuns, id ? {
    experiment_ids: [id], ...(filter ? { filter } : {}), columns: ["attributes.run_name", "attributes.status", "attributes.start_time"], order_by: ["start_time DESC"], limit: MOST,
  } : null);
  const before = useMemo(() => new Set(there), [there]);
  return (
    <Dialog title="Add runs" onClose={onClose} width={620}>
      <div className="dialog-body stack">
        <Loaded query={experiments} what="The experiments">{(data) => (
          <div className="line">
            <Select label="Experiment" quiet value={id} onChange={setExperiment} options={(data.experiments ?? []).map((one): [string, string] => [one.experiment_id, one.name])} />
            <FilterBox label="Filter runs to add" value={filter} vocabulary={RUN_WORDS} problem={filter && runs.error ? runs.error.message : null} placeholder="metrics.loss < 0.1" onChange={setFilter} />
          </div>
        )}</Loaded>
        <div className="add-runs">
          {id && <Loaded query={runs} what="The runs">{(data) => {
            const rows = (data.ids ?? []).map((run, at): Row => ({
              id: run, name: String(data.cols?.["attributes.run_name"]?.[at] ?? run), status: String(data.cols?.["attributes.status"]?.[at] ?? ""), start: data.cols?.["attributes.start_time"]?.[at] as number | null,
            })).filter((row) => !before.has(row.id));
            return <Table label="Runs to add" columns={COLUMNS} count={rows.length} rowAt={(index) => rows[index]} keyOf={(row) => row.id} selected={selected} onSelect={setSelected} onOpen={(row) => setSelected((now) => (now.has(row.id) ? new Set([...now].filter((other) => other !== row.id)) : new Set([...now, row.id])))} empty={<Empty title="No other run." />} />;
          }}</Loaded>}
        </div>
      </div>
      <div className="dialog-foot">
        <Button onClick={onClose}>Cancel</Button>
        <Button tone="main" disabled={selected.size === 0} onClick={() => {
          onAdd([...selected]);
          onClose();
        }}>Add {counted(selected.size, "run")}</Button>
      </div>
    </Dialog>
  );
}
