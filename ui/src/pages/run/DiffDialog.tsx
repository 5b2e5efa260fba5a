import { useDeferredValue, useState } from "react";
import { useOperation } from "@/api/queries";
import { QueryRuns, type Run } from "@/api/schema";
import { counted } from "@/base/format";
import { Dialog, TextField } from "@/parts/Dialog";
import { quotedValue } from "@/parts/filter";
import { ErrorCard, Loading } from "@/parts/States";
import { RunStatus, Time } from "@/parts/Values";

const MOST = 50;
const COLUMNS = ["attributes.run_name", "attributes.status", "attributes.start_time"];

/** Asks for the run that another is compared with: one of its experiment. */
export function DiffDialog({ run, onChoose, onClose }: { run: Run; onChoose: (id: string) => void; onClose: () => void }) {
  const [text, setText] = useState("");
  const search = useDeferredValue(text.trim());
  const { run_id: own, experiment_id: experiment } = run.info;
  const conditions = [`attributes.run_id != ${quotedValue(own)}`, ...(search ? [`attributes.run_name ILIKE ${quotedValue(`%${search}%`)}`] : [])];
  const table = useOperation(QueryRuns, { experiment_ids: [experiment], filter: conditions.join(" AND "), order_by: ["attributes.start_time DESC"], columns: COLUMNS, limit: MOST }, { placeholderData: (before) => before });
  const ids = table.data?.ids ?? [];
  const cell = (column: number, row: number) => table.data?.cols?.[COLUMNS[column] ?? ""]?.[row];
  return (
    <Dialog title="Compare with another run" onClose={onClose} width={520}>
      <div
        className="dialog-body stack" onKeyDown={(event) => {
          if (event.key === "Enter" && event.target instanceof HTMLInputElement && ids[0]) onChoose(ids[0]);
        }}
      >
        <TextField label="Name of the run" placeholder="Part of its name" type="search" value={text} onChange={setText} focus />
        {table.error ? <ErrorCard what="The runs could not be loaded" error={table.error} onRetry={() => void table.refetch()} /> : !table.data ? <Loading /> : (
          <ul className="run-choices scroll" aria-label="Runs">
            {ids.map((id, at) => (
              <li key={id}><button type="button" className="menu-item" onClick={() => onChoose(id)}>
                <RunStatus status={String(cell(1, at) ?? "")} quiet /><span className="grow cut">{String(cell(0, at) ?? id)}</span><span className="soft"><Time at={cell(2, at) as number} /></span>
              </button></li>
            ))}
          </ul>
        )}
        {table.data && <p className="soft" role="status">{ids.length === 0 ? "No other run of this experiment is like that." : ids.length < table.data.total ? `The newest ${ids.length} of ${counted(table.data.total, "run")}` : counted(ids.length, "run")}</p>}
      </div>
    </Dialog>
  );
}
