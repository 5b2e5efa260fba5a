// The rows and header cells of Table.
import { memo, useRef, type MouseEvent, type PointerEvent } from "react";
import { Icon } from "@/parts/Icon";
import type { Column } from "@/parts/Table";

export interface RowActions {
  open: (index: number, event: MouseEvent) => void;
  toggle: (index: number, ranged: boolean) => void;
  menu: (index: number, column: number, event: MouseEvent) => void;
}

interface RowProps {
  id: string;
  row: unknown;
  index: number;
  top: number;
  height: number;
  frozen: readonly Column<unknown>[];
  /** Those in sight; `first` is the place of the first of them. */
  columns: readonly Column<unknown>[];
  first: number;
  gap: number;
  check: number;
  selected: boolean;
  selectable: boolean;
  /** The place of the active cell, -1 when it is in another row. */
  active: number;
  className: string | undefined;
  actions: RowActions;
}

export const TableRow = memo(function TableRow(props: RowProps) {
  const { id, row, index, top, height, frozen, columns, first, gap, check, selected, selectable, active, className, actions } = props;
  const offset = check ? 2 : 1;
  const cell = (column: Column<unknown>, at: number) => {
    return (
      <div
        key={column.key} id={`${id}-${index}-${at}`} role="gridcell" aria-colindex={at + offset}
        className={`cell${column.number ? " number" : ""}${column.frozen ? " frozen" : ""}${active === at ? " active" : ""}${column.className ? ` ${column.className}` : ""}`}
        style={{ width: column.width }}
        onContextMenu={column.cellMenu && ((event) => actions.menu(index, at, event))}
      >
        {row === undefined ? null : column.cell(row, index)}
      </div>
    );
  };
  return (
    <div
      role="row" aria-rowindex={index + 2} aria-selected={selectable ? selected : undefined}
      className={`table-line row${selected ? " selected" : ""}${active >= 0 ? " active" : ""}${className ? ` ${className}` : ""}`}
      style={{ transform: `translateY(${top}px)`, height }} onClick={(event) => actions.open(index, event)}
    >
      {check > 0 && (
        <div role="gridcell" aria-colindex={1} className="cell check frozen" style={{ width: check }} onClick={(event) => event.stopPropagation()}>
          <input
            type="checkbox" tabIndex={-1} aria-label={`Select row ${index + 1}`} checked={selected} disabled={row === undefined}
            onChange={() => undefined} onClick={(event) => actions.toggle(index, event.shiftKey)}
          />
        </div>
      )}
      {frozen.map((column, at) => cell(column, at))}
      <div className="table-gap" style={{ width: gap }} role="presentation" />
      {columns.map((column, at) => cell(column, first + at))}
    </div>
  );
});

interface HeaderProps<Row> {
  column: Column<Row>;
  index: number;
  id: string;
  active: boolean;
  offset: number;
  onMenu: (index: number, at: { x: number; y: number }) => void;
  onResize: ((column: string, width: number) => void) | undefined;
  onHead: ((column: string | null, at?: DOMRect) => void) | undefined;
}

const NARROWEST = 48;

export function HeaderCell<Row>({ column, index, id, active, offset, onMenu, onResize, onHead }: HeaderProps<Row>) {
  const cell = useRef<HTMLDivElement>(null);
  const sorted = column.sort === "asc" ? "ascending" : column.sort === "desc" ? "descending" : undefined;
  const resize = (event: PointerEvent<HTMLSpanElement>) => {
    event.preventDefault();
    event.stopPropagation();
    const from = event.clientX;
    const grip = event.currentTarget;
    grip.setPointerCapture(event.pointerId);
    const move = (moved: globalThis.PointerEvent) => onResize?.(column.key, Math.max(NARROWEST, column.width + moved.clientX - from));
    const end = () => {
      grip.removeEventListener("pointermove", move);
      grip.removeEventListener("pointerup", end);
    };
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", end);
  };
  return (
    <div
      ref={cell} id={id} role="columnheader" aria-colindex={index + 1 + offset} aria-sort={sorted}
      className={`cell head${column.number ? " number" : ""}${column.frozen ? " frozen" : ""}${active ? " active" : ""}${column.className ? ` ${column.className}` : ""}`}
      style={{ width: column.width }}
      onPointerEnter={onHead && ((event) => onHead(column.key, event.currentTarget.getBoundingClientRect()))} onPointerLeave={onHead && (() => onHead(null))}
      onContextMenu={column.menu && ((event) => {
        event.preventDefault();
        onMenu(index, { x: event.clientX, y: event.clientY });
      })}
    >
      {column.onSort
        ? <button type="button" tabIndex={-1} className="head-name cut" data-tip={column.spread ? undefined : column.title} onClick={column.onSort}>{column.head ?? column.title}</button>
        : <span className="head-name cut">{column.head ?? column.title}</span>}
      {sorted && <Icon name={column.sort === "asc" ? "arrowUp" : "arrowDown"} />}
      {column.menu && (
        <button
          type="button" tabIndex={-1} className="head-menu" aria-label={`${column.title}: choices`} aria-haspopup="menu"
          onClick={() => {
            const rect = cell.current?.getBoundingClientRect();
            onMenu(index, { x: rect?.left ?? 0, y: rect?.bottom ?? 0 });
          }}
        ><Icon name="chevronDown" /></button>
      )}
      {onResize && <span className="grip" aria-hidden="true" onPointerDown={resize} onDoubleClick={() => onResize(column.key, 0)} />}
    </div>
  );
}
