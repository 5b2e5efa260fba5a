import { memo, useRef, type PointerEvent } from "react";
import { draggedTo, type Pixels } from "@/plots/brush";
import type { AxisScale } from "@/plots/scale";

interface Props {
  scale: AxisScale;
  x: number;
  height: number;
  range: readonly [number, number] | undefined;
  /** Told of every movement; `done` when the pointer lets go. */
  onBrush: (range: readonly [number, number] | null, done: boolean) => void;
}

const HALF = 9;
const HANDLE = 6;
const CLICK = 1;

/** A brush along an upright axis, in an SVG; the same can be done by the menu of the axis. */
export const AxisBrush = memo(function AxisBrush({ scale, x, height, range, onBrush }: Props) {
  const drag = useRef<{ from: number; before: Pixels | null; moved: boolean; pixels: Pixels | null } | null>(null);
  const pixels = range ? pixelsOf(scale, range, height) : null;
  const pixelOf = (event: PointerEvent<SVGGElement>) => event.clientY - event.currentTarget.getBoundingClientRect().top;
  const tell = (made: Pixels | null, done: boolean) => {
    onBrush(made ? made.map(scale.value).sort((a, b) => a - b) as [number, number] : null, done);
  };
  const down = (event: PointerEvent<SVGGElement>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { from: pixelOf(event), before: pixels, moved: false, pixels: null };
  };
  const move = (event: PointerEvent<SVGGElement>) => {
    const now = drag.current;
    if (!now) return;
    const at = pixelOf(event);
    if (!now.moved && Math.abs(at - now.from) < CLICK) return;
    now.moved = true;
    now.pixels = draggedTo(now.before, now.from, at, height, HANDLE / 2);
    tell(now.pixels, false);
  };
  const up = () => {
    const now = drag.current;
    drag.current = null;
    if (!now) return;
    if (!now.moved) {
      const within = now.before && now.from >= now.before[0] - HANDLE / 2 && now.from <= now.before[1] + HANDLE / 2;
      if (!within) tell(null, true);
      return;
    }
    tell(now.pixels, true);
    // The click that ends a drag opens no run.
    const stop = (click: Event) => click.stopPropagation();
    addEventListener("click", stop, { capture: true });
    setTimeout(() => removeEventListener("click", stop, { capture: true }));
  };
  return (
    <g className="plot-brush" transform={`translate(${x},0)`} onPointerDown={down} onPointerMove={move} onPointerUp={up} onPointerCancel={up}>
      <rect className="overlay" x={-HALF} width={2 * HALF} height={height} />
      {pixels && <>
        <rect className="selection" x={-HALF} y={pixels[0]} width={2 * HALF} height={pixels[1] - pixels[0]} />
        {pixels.map((at, end) => <rect key={end} className="handle" x={-HALF} y={at - HANDLE / 2} width={2 * HALF} height={HANDLE} />)}
      </>}
    </g>
  );
});

function pixelsOf(scale: AxisScale, range: readonly [number, number], height: number): Pixels | null {
  const [from = NaN, to = NaN] = range.map((value) => Math.max(0, Math.min(height, scale.place(scale.log ? Math.max(value, Number.MIN_VALUE) : value)))).sort((a, b) => a - b);
  return Number.isNaN(from) || Number.isNaN(to) ? null : [from, to];
}
