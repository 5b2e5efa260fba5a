import { useDeferredValue, useMemo, useState } from "react";
import { useOperation } from "@/api/queries";
import { QueryRuns, type Run } from "@/api/schema";
import { number, numberOf, type Figure } from "@/base/format";
import { isSystem } from "@/pages/run/state";
import { CopyButton, IconButton } from "@/parts/Button";
import { Card } from "@/parts/States";
import { Table, type Column } from "@/parts/Table";
import { Num } from "@/parts/Values";

interface Row {
  key: string;
  last: Figure | undefined;
  step: number | undefined;
  min: Figure | null;
  max: Figure | null;
  other: Figure | undefined;
}

interface Props {
  run: Run;
  other: Run | undefined;
  pinned: readonly string[];
  onPin: (key: string) => void;
}

const WITH_EXTREMES = 300;
const ROW = 29;
const MOST_ROWS = 8;

/** The values of a run's metrics: last, lowest and highest, beside those of another run if there is one. */
export function Metrics({ run, other, pinned, onPin }: Props) {
  const [text, setText] = useState("");
  const search = useDeferredValue(text).toLowerCase();
  const own = useMemo(() => new Map((run.data?.metrics ?? []).filter((metric) => !isSystem(metric.key)).map((metric) => [metric.key, metric])), [run]);
  const others = useMemo(() => new Map((other?.data?.metrics ?? []).filter((metric) => !isSystem(metric.key)).map((metric) => [metric.key, metric])), [other]);
  const keys = useMemo(() => {
    const known = [...new Set([...own.keys(), ...others.keys()])].sort();
    return [...pinned.filter((key) => known.includes(key)), ...known.filter((key) => !pinned.includes(key))];
  }, [own, others, pinned]);
  const asked = keys.slice(0, WITH_EXTREMES);
  const extremes = useOperation(QueryRuns, asked.length === 0 ? null : {
    experiment_ids: [run.info.experiment_id], run_ids: [run.info.run_id], view_type: "ALL", columns: asked.flatMap((key) => [`min(metrics.${key})`, `max(metrics.${key})`]),
  }, { placeholderData: (before) => before });
  const cell = (column: string) => (extremes.data?.cols?.[column]?.[0] ?? null) as Figure | null;
  const rows = keys.filter((key) => key.toLowerCase().includes(search)).map((key): Row => ({
    key, last: own.get(key)?.value, step: own.get(key)?.step, min: cell(`min(metrics.${key})`), max: cell(`max(metrics.${key})`), other: others.get(key)?.value,
  }));
  if (keys.length === 0) return null;
  const columns: Column<Row>[] = [
    { key: "pin", title: "Pinned", head: <span className="unseen">Pinned</span>, width: 36, frozen: true, cell: (row) => <IconButton icon="pin" tabIndex={-1} className="pin" pressed={pinned.includes(row.key)} label={pinned.includes(row.key) ? `Unpin ${row.key}` : `Pin ${row.key}`} onClick={() => onPin(row.key)} /> },
    { key: "key", title: "Metric", width: 260, frozen: true, className: "edge", cell: (row) => row.key, cellMenu: (row) => [{ label: pinned.includes(row.key) ? "Unpin" : "Pin", icon: "pin", run: () => onPin(row.key) }] },
    { key: "last", title: "Last", width: 110, number: true, cell: (row) => <Num value={row.last} /> },
    ...(other ? [
      { key: "other", title: other.info.run_name ?? "The other", width: 110, number: true, cell: (row: Row) => <Num value={row.other} /> },
      { key: "difference", title: "Difference", width: 110, number: true, cell: (row: Row) => <span className="figure">{difference(row)}</span> },
    ] : []),
    { key: "min", title: "Lowest", width: 110, number: true, cell: (row) => <Num value={row.min} /> },
    { key: "max", title: "Highest", width: 110, number: true, cell: (row) => <Num value={row.max} /> },
    { key: "step", title: "Step", width: 90, number: true, cell: (row) => <Num value={row.step} /> },
  ];
  return (
    <Card
      title={<>Metrics <span className="soft">{rows.length < keys.length ? `${rows.length} of ${keys.length}` : keys.length}</span></>} flush
      actions={<>
        <input className="input run-search" type="search" aria-label="Filter metrics" placeholder="Part of a name" value={text} onChange={(event) => setText(event.target.value)} />
        <CopyButton label="Copy the metrics as JSON" text={() => JSON.stringify(Object.fromEntries(rows.map((row) => [row.key, row.last])), null, 2)} />
      </>}
    >
      <div className="run-metrics" style={{ height: Math.min(rows.length, MOST_ROWS) * ROW + 34 }}>
        <Table label="Metrics" columns={columns} count={rows.length} rowAt={(index) => rows[index]} keyOf={(row) => row.key} onPeek={(row) => onPin(row.key)} />
      </div>
    </Card>
  );
}

function difference(row: Row): string {
  const [one, two] = [numberOf(row.last), numberOf(row.other)];
  if (one === null || two === null || !Number.isFinite(one - two)) return "";
  return `${one > two ? "+" : ""}${number(one - two)}`;
}
