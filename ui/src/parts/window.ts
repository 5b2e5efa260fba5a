// Which rows and columns of a large table are in sight. The table's content is a layer that stays in sight and is moved
// by one transform; React renders only when other rows or columns come.
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";
import { flushSync } from "react-dom";

/** Rows and columns [first, last] that are rendered: those in sight and a few around. */
export interface Sight {
  rows: readonly [number, number];
  columns: readonly [number, number];
}

// Browsers cannot make elements taller than this (Firefox's limit is the lowest, near 17.9 million pixels).
const TALLEST = 15_000_000;
// Rows are placed relative to a multiple of this, so that offsets stay small and rows that stay keep theirs.
const REBASE = 512;
// Rendering in steps of a few rows is cheaper than in steps of one.
const ROW_STEP = 4;
const COLUMN_STEP = 2;

export interface Sizes {
  count: number;
  height: number;
  /** The height of the header. */
  head: number;
  /** The left edge of each moving column, and of the end, from the end of the frozen ones. */
  edges: readonly number[];
  /** The width of the frozen columns. */
  frozen: number;
}

/** The first row of the piece of the table whose offsets are counted from there. */
export function baseOf(row: number): number {
  return Math.floor(row / REBASE) * REBASE;
}

/** How tall the scrolled element is: scaled down when no browser could show all. */
export function tallness({ count, height, head }: Pick<Sizes, "count" | "height" | "head">): number {
  return Math.min(TALLEST, count * height + head);
}

/** Pixels of the table for a pixel of the scroll bar; 1 unless the table is scaled down. */
export function ratioOf(sizes: Pick<Sizes, "count" | "height" | "head">, view: number): number {
  const tall = tallness(sizes);
  const full = sizes.count * sizes.height + sizes.head;
  return full > tall ? (full - view) / (tall - view) : 1;
}

export function sightOf(sizes: Sizes, top: number, left: number, width: number, view: number): Sight {
  const { count, height, head, edges, frozen } = sizes;
  const first = Math.max(0, Math.floor(top / height / ROW_STEP) * ROW_STEP - ROW_STEP);
  const last = Math.min(count - 1, Math.ceil((top + view - head) / height / ROW_STEP) * ROW_STEP + ROW_STEP);
  const columns = edges.length - 1;
  let from = 0;
  while (from < columns - 1 && (edges[from + 1] ?? 0) <= left) from += 1;
  let to = from;
  while (to < columns - 1 && (edges[to + 1] ?? 0) < left + width - frozen) to += 1;
  return {
    rows: [first, last],
    columns: [Math.max(0, Math.floor(from / COLUMN_STEP) * COLUMN_STEP - COLUMN_STEP), Math.min(columns - 1, Math.ceil(to / COLUMN_STEP) * COLUMN_STEP + COLUMN_STEP)],
  };
}

interface Layer {
  scroller: RefObject<HTMLDivElement | null>;
  head: RefObject<HTMLDivElement | null>;
  body: RefObject<HTMLDivElement | null>;
  sight: Sight;
  /** The size of the part in sight. */
  view: readonly [number, number];
  /** The place of the view in the whole table, in pixels. */
  top: () => number;
  scrollTo: (top: number | null, left: number | null) => void;
}

/** Keeps the layer of a table at its place, and says what is in sight. */
export function useSight(sizes: Sizes): Layer {
  const scroller = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<readonly [number, number]>([0, 0]);
  const [sight, setSight] = useState<Sight>({ rows: [0, -1], columns: [0, -1] });
  const latest = useRef({ sizes, sight, view });

  const top = useCallback(() => (scroller.current?.scrollTop ?? 0) * ratioOf(latest.current.sizes, latest.current.view[1]), []);
  const move = useCallback(() => {
    const element = scroller.current;
    if (!element || !head.current || !body.current) return;
    const left = element.scrollLeft;
    const down = top() - baseOf(latest.current.sight.rows[0]) * latest.current.sizes.height;
    head.current.style.transform = `translateX(${-left}px)`;
    body.current.style.transform = `translate(${-left}px, ${-down}px)`;
    const shift = `translateX(${left}px)`;
    for (const cell of element.querySelectorAll<HTMLElement>(".cell.frozen")) if (cell.style.transform !== shift) cell.style.transform = shift;
  }, [top]);
  const look = useCallback((now: boolean) => {
    const element = scroller.current;
    if (!element) return;
    const { sizes: given, sight: before, view: [width, tall] } = latest.current;
    const next = sightOf(given, top(), element.scrollLeft, width, tall);
    if (next.rows.join() === before.rows.join() && next.columns.join() === before.columns.join()) return;
    // In the same frame, so that nothing white is ever seen.
    if (now) flushSync(() => setSight(next));
    else setSight(next);
  }, [top]);

  useLayoutEffect(() => {
    latest.current = { sizes, sight, view };
    move();
  });
  useLayoutEffect(() => {
    look(false);
  }, [look, sizes, view]);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const scrolled = () => {
      look(true);
      move();
    };
    const seen = new ResizeObserver(() => setView([element.clientWidth, element.clientHeight]));
    seen.observe(element);
    element.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      seen.disconnect();
      element.removeEventListener("scroll", scrolled);
    };
  }, [look, move]);
  const scrollTo = useCallback((down: number | null, left: number | null) => {
    const element = scroller.current;
    if (!element) return;
    if (down !== null) element.scrollTop = down / ratioOf(latest.current.sizes, latest.current.view[1]);
    if (left !== null) element.scrollLeft = left;
  }, []);
  return { scroller, head, body, sight, view, top, scrollTo };
}

/** Which lines of a plain list are in sight: the same for one column of equal heights. */
export function useLines(count: number, height: number): { scroller: RefObject<HTMLDivElement | null>; lines: readonly number[]; show: (line: number) => void } {
  const scroller = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState<readonly [number, number]>([0, -1]);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const look = () => {
      const first = Math.max(0, Math.floor(element.scrollTop / height) - ROW_STEP);
      const last = Math.min(count - 1, Math.ceil((element.scrollTop + element.clientHeight) / height) + ROW_STEP);
      setRange((before) => (before[0] === first && before[1] === last ? before : [first, last]));
    };
    look();
    const seen = new ResizeObserver(look);
    seen.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      seen.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [count, height]);
  const show = useCallback((line: number) => {
    const element = scroller.current;
    if (!element) return;
    if (line * height < element.scrollTop) element.scrollTop = line * height;
    else if ((line + 1) * height > element.scrollTop + element.clientHeight) element.scrollTop = (line + 1) * height - element.clientHeight;
  }, [height]);
  return { scroller, lines: Array.from({ length: Math.max(0, Math.min(range[1], count - 1) - range[0] + 1) }, (_, at) => range[0] + at), show };
}
