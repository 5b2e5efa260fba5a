// Canvases as sharp as the screen, and drawing that leaves the page its time.
import { useLayoutEffect, useState, type RefObject } from "react";

/** The width of an element, in pixels; 0 before it is known. */
export function useWidth(place: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    const look = () => setWidth(element.clientWidth);
    look();
    const seen = new ResizeObserver(look);
    seen.observe(element);
    return () => seen.disconnect();
  }, [place]);
  return width;
}

/** An empty canvas of this size, to be drawn on in pixels of the page. */
export function cleared(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const ratio = devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  const context = canvas.getContext("2d");
  if (!context) return null;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

const SLOW_MS = 28;
const QUICK_MS = 19;
const FEWEST = 100;
const MOST = 4000;

// How many things a frame draws: as many as this machine has been seen to draw within one.
let slice = 400;

/** Calls `paint` for slices of `count` things, the first at once, one more each frame. The answer ends it. */
export function inSlices(count: number, paint: (from: number, to: number) => void): () => void {
  let at = 0;
  let before = 0;
  let frame = 0;
  const next = () => {
    const to = Math.min(count, at + slice);
    paint(at, to);
    at = to;
    if (at < count) frame = requestAnimationFrame(timed);
  };
  const timed = (now: number) => {
    const took = before ? now - before : 0;
    if (took > SLOW_MS) slice = Math.max(FEWEST, Math.round(slice / 2));
    else if (took > 0 && took < QUICK_MS) slice = Math.min(MOST, Math.round(slice * 1.5));
    before = now;
    next();
  };
  next();
  return () => cancelAnimationFrame(frame);
}

const STRIDE = 7919;

/** `items` in another order, always the same: any part of it from the start is spread over all of them. */
export function spread<T>(items: readonly T[]): readonly T[] {
  const count = items.length;
  if (count < FEWEST || count % STRIDE === 0) return items;
  return Array.from({ length: count }, (_, at) => items[(at * STRIDE) % count] as T);
}
