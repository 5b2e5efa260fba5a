// The one table: rows and columns are on the page only while they are in sight. An ARIA grid: one stop of the Tab key,
// arrows move the active cell, which aria-activedescendant names.
import { useCallback, useEffect, useId, useImperativeHandle, useMemo, useRef, useState, type KeyboardEvent, type MouseEvent, type ReactNode, type Ref } from "react";
import { usePreferences } from "@/base/preferences";
import { useKeys } from "@/base/keys";
import { Menu, type MenuItem } from "@/parts/Menu";
import { HeaderCell, TableRow, type RowActions } from "@/parts/TableRow";
import { baseOf, tallness, useSight } from "@/parts/window";

export interface Column<Row> {
  /** What identifies it within the table. */
  key: string;
  /** Its name, in the header and for who does not see it. */
  title: string;
  /** In pixels. */
  width: number;
  cell: (row: Row, index: number) => ReactNode;
  /** Right-aligned, with figures of one width. */
  number?: boolean;
  /** Stays at the left while the others scroll. Frozen columns come first. */
  frozen?: boolean;
  /** Its order now; undefined for a column that cannot be sorted by, null for one that is not. */
  sort?: "asc" | "desc" | null;
  onSort?: () => void;
  /** Choices of its header's menu. */
  menu?: () => readonly MenuItem[];
  /** Choices at one of its cells: right click, or Shift+F10. */
  cellMenu?: (row: Row) => readonly MenuItem[];
  /** Takes it away; the letter h at one of its cells does. */
  onHide?: () => void;
  /** A class of its cells and header. */
  className?: string;
  /** Its values can be summed up while its header is looked at. */
  spread?: boolean;
  /** Shown in the header in place of the title. */
  head?: ReactNode;
}

export interface TableHandle {
  focus: () => void;
  /** Shows a row (0 is the first) and makes it the active one. */
  show: (row: number) => void;
}

interface Props<Row> {
  label: string;
  columns: readonly Column<Row>[];
  count: number;
  /** The row at a place; undefined while it is not loaded. */
  rowAt: (index: number) => Row | undefined;
  keyOf: (row: Row) => string;
  /** Told when other rows or columns come into sight: [first, last] places, both in sight. */
  onRange?: (rows: readonly [number, number], columns: readonly [number, number]) => void;
  /** By Enter and by a click. */
  onOpen?: (row: Row, event: MouseEvent | KeyboardEvent) => void;
  /** By the space bar. */
  onPeek?: (row: Row) => void;
  /** Told of the active row when it changes. */
  onActive?: (row: Row | undefined, index: number) => void;
  /** Keys of the selected rows; without it, rows cannot be selected. */
  selected?: ReadonlySet<string>;
  onSelect?: (selected: ReadonlySet<string>) => void;
  /** Selects every row, those that are not loaded too; without it the box of the header selects the loaded ones. */
  onSelectAll?: () => void;
  /** Whether every row is selected, but for loaded ones that are not in `selected`. */
  everything?: boolean;
  /** Letters that do something with the active row. */
  rowKeys?: readonly { keys: string; what: string; run: (row: Row) => void }[];
  /** Told which header is looked at, by the pointer or as the active cell, and where it is; null for none. */
  onHead?: (column: string | null, at?: DOMRect) => void;
  onResize?: (column: string, width: number) => void;
  /** Letters j, k and x work on the whole page. One table a page has this. */
  main?: boolean;
  rowClass?: (row: Row) => string | undefined;
  /** Shown in place of rows when there are none. */
  empty?: ReactNode;
  ref?: Ref<TableHandle>;
}

const HEAD = 29;
const HEIGHTS = { compact: 24, normal: 28, relaxed: 32 };
const CHECK = 32;
const NONE: ReadonlySet<string> = new Set();

export function Table<Row>(props: Props<Row>) {
  const { label, columns, count, rowAt, keyOf, onRange, onOpen, onPeek, onActive, selected, onSelect, onSelectAll, everything = false, rowKeys = [], onHead, onResize, rowClass, empty, main = false, ref } = props;
  const { density, letters } = usePreferences();
  const height = HEIGHTS[density];
  const id = useId();
  const [active, setActive] = useState<readonly [number, number]>([0, 0]);
  const [menu, setMenu] = useState<{ at: { x: number; y: number }; items: readonly MenuItem[]; label: string } | null>(null);
  const anchor = useRef(0);
  const check = onSelect ? CHECK : 0;
  const frozen = useMemo(() => columns.filter((column) => column.frozen), [columns]);
  const moving = useMemo(() => columns.filter((column) => !column.frozen), [columns]);
  const left = check + frozen.reduce((sum, column) => sum + column.width, 0);
  const edges = useMemo(() => {
    const made = [0];
    for (const column of moving) made.push((made[made.length - 1] ?? 0) + column.width);
    return made;
  }, [moving]);
  const sizes = useMemo(() => ({ count, height, head: HEAD, edges, frozen: left }), [count, height, edges, left]);
  const { scroller, head, body, sight, view, top, scrollTo } = useSight(sizes);
  const [firstColumn, lastColumn] = sight.columns;
  const [firstRow, lastRow] = [sight.rows[0], Math.min(sight.rows[1], count - 1)];
  const visible = useMemo(() => moving.slice(firstColumn, lastColumn + 1), [moving, firstColumn, lastColumn]);
  const gap = edges[firstColumn] ?? 0;
  const width = left + (edges[edges.length - 1] ?? 0);
  const base = baseOf(firstRow);
  // Elements of rows that leave are those of rows that come.
  const pool = Math.ceil(view[1] / height) + 20;

  const range = useRef(onRange);
  useEffect(() => {
    range.current = onRange;
  });
  useEffect(() => {
    if (lastRow >= firstRow) range.current?.([firstRow, lastRow], [frozen.length + firstColumn, frozen.length + lastColumn]);
  }, [firstRow, lastRow, firstColumn, lastColumn, frozen.length, columns, count]);

  const reveal = useCallback((row: number, column: number) => {
    const element = scroller.current;
    if (!element) return;
    const [start, room] = [row * height, element.clientHeight - HEAD];
    if (row >= 0 && start < top()) scrollTo(start, null);
    else if (row >= 0 && start + height > top() + room) scrollTo(start + height - room, null);
    const at = column - frozen.length;
    const [from, to] = [edges[at], edges[at + 1]];
    if (from === undefined || to === undefined) return;
    if (from < element.scrollLeft) scrollTo(null, from);
    else if (left + to > element.scrollLeft + element.clientWidth) scrollTo(null, left + to - element.clientWidth);
  }, [scroller, height, top, scrollTo, edges, frozen.length, left]);
  const go = useCallback((row: number, column: number) => {
    const next: [number, number] = [Math.max(-1, Math.min(count - 1, row)), Math.max(0, Math.min(columns.length - 1, column))];
    setActive(next);
    reveal(...next);
    if (next[0] >= 0) onActive?.(rowAt(next[0]), next[0]);
    if (next[0] < 0) requestAnimationFrame(() => onHead?.(columns[next[1]]?.key ?? null, document.getElementById(`${id}--1-${next[1]}`)?.getBoundingClientRect()));
    else onHead?.(null);
  }, [count, columns, reveal, onActive, rowAt, onHead, id]);
  useImperativeHandle(ref, () => ({
    focus: () => scroller.current?.focus(),
    show: (row) => go(row, active[1]),
  }), [go, active, scroller]);

  const select = (from: number, to: number, on: boolean) => {
    if (!onSelect) return;
    const next = new Set(selected);
    for (let index = Math.min(from, to); index <= Math.max(from, to); index += 1) {
      const row = rowAt(index);
      if (row === undefined) continue;
      if (on) next.add(keyOf(row));
      else next.delete(keyOf(row));
    }
    onSelect(next);
  };
  const toggle = (index: number, ranged: boolean) => {
    const row = rowAt(index);
    if (row === undefined || !onSelect) return;
    const on = !selected?.has(keyOf(row));
    select(ranged ? anchor.current : index, index, ranged || on);
    anchor.current = index;
  };
  const openCellMenu = (index: number, column: number, at: { x: number; y: number }) => {
    const row = rowAt(index);
    const owner = columns[column];
    const items = row !== undefined ? owner?.cellMenu?.(row) : undefined;
    if (items?.length) setMenu({ at, items, label: `${owner?.title ?? ""}: choices` });
    return Boolean(items?.length);
  };
  const placeOfActive = () => {
    const rect = document.getElementById(`${id}-${active[0]}-${active[1]}`)?.getBoundingClientRect();
    return { x: rect?.left ?? 0, y: rect?.bottom ?? 0 };
  };
  const openHeaderMenu = (column: number, at: { x: number; y: number }) => {
    const items = columns[column]?.menu?.();
    if (items?.length) setMenu({ at, items, label: `${columns[column]?.title ?? ""}: choices` });
  };
  const page = Math.max(1, Math.floor(view[1] / height) - 2);
  const press = (event: KeyboardEvent<HTMLDivElement>) => {
    const [row, column] = active;
    const controls = controlsIn(document.getElementById(`${id}-${row}-${column}`));
    if (event.target !== scroller.current) {
      if (walked(event, controls)) scroller.current?.focus();
      return;
    }
    const twist = controls.find((control) => control.getAttribute("aria-expanded") === (event.key === "ArrowRight" ? "false" : "true"));
    const moves: Record<string, readonly [number, number]> = {
      ArrowDown: [row + 1, column], ArrowUp: [row - 1, column], ArrowRight: [row, column + 1], ArrowLeft: [row, column - 1],
      PageDown: [row + page, column], PageUp: [Math.max(0, row - page), column],
      Home: event.ctrlKey ? [0, 0] : [row, 0], End: event.ctrlKey ? [count - 1, column] : [row, columns.length - 1],
    };
    const move = moves[event.key];
    const current = row >= 0 ? rowAt(row) : undefined;
    if (twist && (event.key === "ArrowRight" || event.key === "ArrowLeft")) twist.click();
    else if (event.key === "F2" && controls.length > 0) controls[0]?.focus();
    else if (move) {
      if (event.shiftKey && onSelect && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
        select(row, Math.max(0, Math.min(count - 1, move[0])), true);
        anchor.current = row;
      }
      go(...move);
    } else if ((event.ctrlKey || event.metaKey) && event.key === "a" && onSelectAll) onSelectAll();
    else if (event.key === "Enter" && row < 0) columns[column]?.onSort?.();
    else if (event.key === "h" && letters && !event.ctrlKey && !event.metaKey && columns[column]?.onHide) columns[column].onHide();
    else if (event.key === "Enter" && current !== undefined) {
      const own = column > 0 ? controls.find((control) => control.matches("a")) ?? controls[0] : undefined;
      if (own) own.dispatchEvent(new window.MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey: event.ctrlKey, metaKey: event.metaKey }));
      else onOpen?.(current, event);
    }
    else if (event.key === " " && current !== undefined && onPeek) onPeek(current);
    else if (event.key === " " && onSelect && row >= 0) toggle(row, event.shiftKey);
    else if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
      if (row < 0) openHeaderMenu(column, placeOfActive());
      else openCellMenu(row, column, placeOfActive());
    } else if (event.key === "Escape" && selected?.size) onSelect?.(NONE);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  useKeys([
    { keys: "j", what: "Next row", group: "Table", run: () => { scroller.current?.focus(); go(active[0] + 1, active[1]); } },
    { keys: "k", what: "Row before", group: "Table", run: () => { scroller.current?.focus(); go(Math.max(0, active[0] - 1), active[1]); } },
    ...(onSelect ? [{ keys: "x", what: "Select the row", group: "Table", run: () => toggle(active[0], false) },
      { keys: "Shift+x", what: "Select up to the row", group: "Table", run: () => toggle(active[0], true) }] : []),
    ...rowKeys.map(({ keys, what, run }) => ({ keys, what, group: "Table", run: () => {
      const row = rowAt(active[0]);
      if (row !== undefined) run(row);
    } })),
  ], main);

  const actions: RowActions = {
    open: (index, event) => {
      setActive([index, active[1]]);
      const row = rowAt(index);
      if (row === undefined) return;
      onActive?.(row, index);
      if (event.shiftKey && onSelect) toggle(index, true);
      else if ((event.ctrlKey || event.metaKey) && onSelect) toggle(index, false);
      else onOpen?.(row, event);
    },
    toggle: (index, ranged) => {
      setActive([index, active[1]]);
      toggle(index, ranged);
    },
    menu: (index, column, event) => {
      setActive([index, column]);
      if (openCellMenu(index, column, { x: event.clientX, y: event.clientY })) event.preventDefault();
    },
  };
  const latest = useRef(actions);
  useEffect(() => {
    latest.current = actions;
  });
  const stable = useMemo<RowActions>(() => ({
    open: (...given) => latest.current.open(...given),
    toggle: (...given) => latest.current.toggle(...given),
    menu: (...given) => latest.current.menu(...given),
  }), []);

  const all = count > 0 && selected !== undefined && selected.size >= count;
  const chooseAll = () => {
    if (everything || selected?.size) onSelect?.(NONE);
    else if (onSelectAll) onSelectAll();
    else select(0, count - 1, true);
  };
  const headerCells = (list: readonly Column<Row>[], from: number) => list.map((column, at) => (
    <HeaderCell
      key={column.key} column={column} index={from + at} id={`${id}--1-${from + at}`} active={active[0] === -1 && active[1] === from + at}
      offset={check ? 1 : 0} onMenu={openHeaderMenu} onResize={onResize} onHead={onHead}
    />
  ));
  return (
    <>
      <div
        ref={scroller} className="table scroll" role="grid" aria-label={label} aria-rowcount={count + 1} aria-colcount={columns.length + (check ? 1 : 0)}
        aria-multiselectable={onSelect ? true : undefined} aria-activedescendant={count > 0 || active[0] < 0 ? `${id}-${active[0]}-${active[1]}` : undefined}
        tabIndex={0} onKeyDown={press} onBlur={() => onHead?.(null)}
      >
        <div role="presentation" className="table-size" style={{ width, height: tallness(sizes) }}>
          <div role="presentation" className="table-layer" style={{ width: view[0], height: view[1] }}>
            <div role="rowgroup" className="table-head" ref={head} style={{ width }}>
              <div role="row" aria-rowindex={1} className="table-line">
                {check > 0 && (
                  <div role="columnheader" aria-colindex={1} className="cell check frozen" style={{ width: check }}>
                    <input
                      type="checkbox" tabIndex={-1} aria-label={onSelectAll ? "Select all rows" : "Select all loaded rows"} checked={everything || all}
                      ref={(box) => {
                        if (box) box.indeterminate = !everything && !all && Boolean(selected?.size);
                      }}
                      onChange={chooseAll}
                    />
                  </div>
                )}
                {headerCells(frozen, 0)}
                <div className="table-gap" style={{ width: gap }} role="presentation" />
                {headerCells(visible, frozen.length + firstColumn)}
              </div>
            </div>
            <div role="rowgroup" className="table-body" ref={body} style={{ width }}>
              {Array.from({ length: Math.max(0, lastRow - firstRow + 1) }, (_, at) => firstRow + at).map((index) => {
                const row = rowAt(index);
                const key = row === undefined ? "" : keyOf(row);
                return (
                  <TableRow
                    key={index % pool} id={id} row={row} index={index} top={(index - base) * height} height={height} frozen={frozen as readonly Column<unknown>[]}
                    columns={visible as readonly Column<unknown>[]} first={frozen.length + firstColumn} gap={gap} check={check}
                    selected={selected?.has(key) ?? false} selectable={check > 0} active={active[0] === index ? active[1] : -1}
                    className={row === undefined ? undefined : rowClass?.(row)} actions={stable}
                  />
                );
              })}
            </div>
          </div>
        </div>
        {count === 0 && empty && <div className="table-empty" role="row"><div role="gridcell" aria-colspan={columns.length}>{empty}</div></div>}
      </div>
      {menu && <Menu label={menu.label} items={menu.items} anchor={menu.at} open onClose={() => setMenu(null)} />}
    </>
  );
}

/** The links and buttons of a cell; they are no stops of the Tab key. */
function controlsIn(cell: HTMLElement | null): HTMLElement[] {
  return [...(cell?.querySelectorAll<HTMLElement>("a[href], button, input, select") ?? [])];
}

/** Moves between the controls of a cell by arrows; true when Escape or F2 leads back to the grid. */
function walked(event: KeyboardEvent, controls: readonly HTMLElement[]): boolean {
  const at = controls.indexOf(event.target as HTMLElement);
  const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  if (step !== 0) controls[Math.max(0, Math.min(controls.length - 1, at + step))]?.focus();
  if (step === 0 && event.key !== "Escape" && event.key !== "F2") return false;
  event.preventDefault();
  event.stopPropagation();
  return step === 0;
}
