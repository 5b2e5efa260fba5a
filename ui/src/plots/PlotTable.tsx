import { useMemo } from "react";
import { Table, type Column } from "@/parts/Table";

interface Props {
  label: string;
  head: readonly string[];
  /** The texts of the cells. */
  rows: readonly (readonly string[])[];
  /** How many columns at the front are words and not numbers. */
  words?: number;
}

interface Row {
  key: string;
  cells: readonly string[];
}

/** What a plot shows, as a table. */
export function PlotTable({ label, head, rows, words = 1 }: Props) {
  const listed = useMemo(() => rows.map((cells, at): Row => ({ key: String(at), cells })), [rows]);
  const columns = useMemo(() => head.map((title, at): Column<Row> => ({
    key: `${at} ${title}`, title, width: at === 0 ? 200 : 130, number: at >= words, frozen: at === 0, cell: (row) => row.cells[at],
  })), [head, words]);
  return <Table label={label} columns={columns} count={listed.length} rowAt={(index) => listed[index]} keyOf={(row) => row.key} />;
}
