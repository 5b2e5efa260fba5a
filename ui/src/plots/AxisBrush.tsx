import { brushY, type D3BrushEvent } from "d3-brush";
import { select } from "d3-selection";
import { memo, useEffect, useLayoutEffect, useRef } from "react";
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

/** A brush along an upright axis, in an SVG; the same can be done by the menu of the axis. */
export const AxisBrush = memo(function AxisBrush({ scale, x, height, range, onBrush }: Props) {
  const group = useRef<SVGGElement>(null);
  const told = useRef(onBrush);
  const moving = useRef(false);
  useEffect(() => {
    told.current = onBrush;
  });
  const [low, high] = range ?? [];
  useLayoutEffect(() => {
    const element = group.current;
    if (!element || moving.current) return;
    const brush = brushY<unknown>().extent([[-HALF, 0], [HALF, height]]).on("start brush end", (event: D3BrushEvent<unknown>) => {
      if (!event.sourceEvent) return;
      moving.current = event.type !== "end";
      const pixels = event.selection as [number, number] | null;
      const values = pixels ? [scale.value(pixels[0]), scale.value(pixels[1])].sort((a, b) => a - b) as [number, number] : null;
      if (event.type !== "start") told.current(values, event.type === "end");
    });
    const selection = select<SVGGElement, unknown>(element);
    selection.call(brush);
    const pixels = low === undefined || high === undefined ? null : pixelsOf(scale, low, high, height);
    selection.call((target) => brush.move(target, pixels));
  }, [scale, height, low, high]);
  return <g ref={group} className="plot-brush" transform={`translate(${x},0)`} />;
});

function pixelsOf(scale: AxisScale, low: number, high: number, height: number): [number, number] | null {
  const ends = [scale.d3(scale.log && low <= 0 ? Number.MIN_VALUE : low), scale.d3(high)].map((pixel) => Math.max(0, Math.min(height, pixel)));
  const [from = NaN, to = NaN] = ends.sort((a, b) => a - b);
  return Number.isNaN(from) || Number.isNaN(to) ? null : [from, to];
}
