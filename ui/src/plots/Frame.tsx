// What plots of one column over another share: the canvas, both axes with their names, and the run under the pointer.
import { useLayoutEffect, useRef, useState, type PointerEvent, type ReactNode, type RefObject } from "react";
import { middle } from "@/base/format";
import { useDark } from "@/base/preferences";
import { Axis } from "@/plots/Axis";
import { cleared, inSlices, spread, useWidth } from "@/plots/canvas";
import type { Dimension } from "@/plots/dimension";
import { RunTip, type NamedRun } from "@/plots/RunTip";
import { scaleOf, type AxisScale } from "@/plots/scale";
import { nearestPoint, type Points } from "@/plots/scatter";
import "@/plots/plots.css";

const MARGIN = { left: 72, right: 20, top: 10, bottom: 44 };
const LETTER = 6.5;

/** Where a plot is drawn. */
export interface Plane {
  place: RefObject<HTMLDivElement | null>;
  width: number;
  height: number;
  /** The room inside the axes. */
  wide: number;
  high: number;
  dark: boolean;
}

export function usePlane(height: number): Plane {
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place);
  return { place, width, height, wide: Math.max(0, width - MARGIN.left - MARGIN.right), high: height - MARGIN.top - MARGIN.bottom, dark: useDark() };
}

export const acrossScale = (x: Dimension, wide: number, log: boolean): AxisScale => scaleOf(x, [0, wide], { log, ticks: Math.max(3, wide / 110) });
export const upScale = (y: Dimension, high: number, log: boolean): AxisScale => scaleOf(y, [high, 0], { log, ticks: 6, longest: 9 });

interface Props {
  label: string;
  plane: Plane;
  x: AxisScale;
  y: AxisScale;
  xName: string;
  yName: string;
  /** What stands above it. */
  facts: string;
  /** What it shows, in words. */
  summary: string;
  runs: readonly NamedRun[];
  /** Where runs can be pointed at, and how near, in pixels. */
  points: Points;
  reach: number;
  /** Draws on the canvas, with the margins taken off; another function is another drawing. The answer ends it. */
  paint: (context: CanvasRenderingContext2D) => (() => void) | undefined;
  /** The columns that the tip of a run tells. */
  dimensions: readonly Dimension[];
  onOpen: (run: NamedRun) => void;
  /** Drawn over the canvas, in an SVG with the margins taken off. */
  children?: ReactNode;
}

export function Frame({ label, plane, x, y, xName, yName, facts, summary, runs, points, reach, paint, dimensions, onOpen, children }: Props) {
  const { place, width, height, wide, high, dark } = plane;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [hovered, setHovered] = useState(-1);
  useLayoutEffect(() => {
    const context = canvas.current && width > 0 ? cleared(canvas.current, width, height) : null;
    context?.translate(MARGIN.left, MARGIN.top);
    return context ? paint(context) : undefined;
  }, [paint, width, height, dark]);
  const hover = (event: PointerEvent<HTMLDivElement>) => {
    const rect = event.currentTarget.getBoundingClientRect();
    setHovered(nearestPoint(points, event.clientX - rect.left - MARGIN.left, event.clientY - rect.top - MARGIN.top, reach));
  };
  const at = points.runs[hovered];
  const run = at === undefined ? undefined : runs[at];
  const [left, top] = [points.x[hovered] ?? 0, points.y[hovered] ?? 0];
  const inner = `translate(${MARGIN.left},${MARGIN.top})`;
  return (
    <>
      <p className="plot-facts soft figure">{facts}</p>
      <figure className="plot" role="group" aria-label={label}>
        <div ref={place} className="plot-place" style={{ height }} onPointerMove={hover} onPointerLeave={() => setHovered(-1)} onClick={() => run && onOpen(run)}>
          {width > 0 && (
            <svg className="plot-svg" width={width} height={height} aria-hidden="true">
              <g transform={inner}>
                <Axis scale={y} side="left" grid={wide} />
                <Axis scale={x} side="bottom" y={high} grid={high} />
                <text className="plot-name" x={wide / 2} y={high + 36} textAnchor="middle">{middle(xName, Math.max(8, Math.floor(wide / LETTER)))}</text>
                <text className="plot-name" transform={`translate(-56,${high / 2}) rotate(-90)`} textAnchor="middle">{middle(yName, Math.max(8, Math.floor(high / LETTER)))}</text>
              </g>
            </svg>
          )}
          <canvas ref={canvas} className="plot-canvas" aria-hidden="true" />
          {width > 0 && (
            <svg className="plot-svg" width={width} height={height} aria-hidden="true">
              <g transform={inner}>{children}{run && <circle className="plot-point" cx={left} cy={top} r={6} />}</g>
            </svg>
          )}
          {run && at !== undefined && <RunTip run={run} at={at} x={left + MARGIN.left} y={top + MARGIN.top} width={width} dimensions={dimensions} />}
        </div>
        <figcaption className="unseen">{summary}</figcaption>
      </figure>
    </>
  );
}

/** Draws points, slice by slice; the answer ends it. */
export function dots(context: CanvasRenderingContext2D, points: Points, colourOf: (run: number) => string, opacity: number, radius: number): () => void {
  const order = spread(points.runs.map((_, at) => at));
  return inSlices(order.length, (from, to) => {
    context.globalAlpha = opacity;
    for (const at of order.slice(from, to)) {
      context.fillStyle = colourOf(points.runs[at] ?? 0);
      context.beginPath();
      context.arc(points.x[at] ?? 0, points.y[at] ?? 0, radius, 0, 2 * Math.PI);
      context.fill();
    }
  });
}
