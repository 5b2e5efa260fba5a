import { useMemo, useState } from "react";
import { counted } from "@/base/format";
import { useWindows } from "@/api/windows";
import { ARTIFACTS_KEY, readRows, type Rows } from "@/artifacts/place";
import { Text } from "@/artifacts/viewers/TextFile";
import type { FileProps } from "@/artifacts/Viewer";
import { ErrorCard, Loading } from "@/parts/States";
import { Table, type Column } from "@/parts/Table";

interface Row {
  index: number;
  cells: readonly unknown[];
}

const NARROW = 90;
const WIDE = 320;
const CHARACTER = 7.5;

/** A table of any length: the rows in sight are read. */
export default function TableFile({ place, path, facts }: FileProps) {
  const [columns, setColumns] = useState<readonly Column<Row>[] | null>(null);
  const [known, setKnown] = useState<{ rows: number; end: boolean }>({ rows: 0, end: false });
  const key = useMemo(() => [ARTIFACTS_KEY, place.base, "rows", path], [place.base, path]);
  const list = useWindows<Row>({
    key,
    load: async (offset, limit, signal) => {
      const answer = await readRows(place, { path, offset, limit }, signal);
      setColumns((before) => before ?? columnsOf(answer));
      const seen = offset + answer.rows + (answer.more ? limit : 0);
      setKnown((before) => (answer.total !== undefined ? { rows: answer.total, end: true } : !answer.more ? { rows: offset + answer.rows, end: true } : before.end ? before : { rows: Math.max(before.rows, seen), end: false }));
      return { total: answer.total ?? seen, rows: Array.from({ length: answer.rows }, (_, at) => ({ index: offset + at, cells: answer.cols.map((column) => column[at]) })) };
    },
  });
  const [first] = [list.rowAt(0)];
  const shown = columns ?? (first ? first.cells.map((_, at) => plain(String(at + 1), at, false)) : null);
  if (list.error) {
    return <><ErrorCard what="It could not be read as a table" error={list.error} onRetry={list.refetch} />{!path.toLowerCase().endsWith(".parquet") && <Text place={place} path={path} size={facts.size} />}</>;
  }
  if (!shown || list.total === undefined) return <Loading />;
  const count = known.rows || list.total;
  return (
    <>
      <div className="artifacts-bar"><span className="soft" role="status">{known.end ? counted(count, "row") : "More rows are read as they come into sight"}, {counted(shown.length, "column")}</span></div>
      <div className="artifacts-grid">
        <Table label="Rows" columns={[ROW_NUMBER, ...shown]} count={count} rowAt={list.rowAt} keyOf={(row) => String(row.index)} onRange={list.onRange} />
      </div>
    </>
  );
}

const ROW_NUMBER: Column<Row> = { key: "row", title: "Row", width: 64, number: true, frozen: true, className: "edge", cell: (row) => <span className="soft figure">{row.index + 1}</span> };

function columnsOf({ columns, cols }: Rows): readonly Column<Row>[] {
  return columns.map(({ name, type }, at) => {
    const longest = Math.max(name.length + 2, ...(cols[at] ?? []).slice(0, 50).map((value) => textOf(value).length));
    return { ...plain(name, at, type === "int" || type === "float"), width: Math.round(Math.max(NARROW, Math.min(WIDE, longest * CHARACTER + 16))) };
  });
}

function plain(name: string, at: number, isNumber: boolean): Column<Row> {
  return { key: `${at} ${name}`, title: name, width: 120, number: isNumber, cell: (row) => <Cell value={row.cells[at]} /> };
}

function Cell({ value }: { value: unknown }) {
  const text = textOf(value);
  return text === "" ? null : <span data-tip={text.length > 30 ? text.slice(0, 1000) : undefined}>{text}</span>;
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
