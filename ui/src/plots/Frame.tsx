// What plots of one column over another share: the canvas, both axes with their names, and the layer of the pointer.
import type { PointerEventHandler, ReactNode, RefObject } from "react";
import { middle } from "@/base/format";
import { Axis } from "@/plots/Axis";
import type { AxisScale } from "@/plots/scale";
import "@/plots/plots.css";

export const MARGIN = { left: 72, right: 20, top: 10, bottom: 44 };

interface Props {
  label: string;
  /** What it shows, in words. */
  summary: string;
  place: RefObject<HTMLDivElement | null>;
  canvas: RefObject<HTMLCanvasElement | null>;
  width: number;
  height: number;
  x: AxisScale;
  y: AxisScale;
  xName: string;
  yName: string;
  onMove?: PointerEventHandler<HTMLDivElement>;
  onLeave?: () => void;
  onPick?: () => void;
  /** Drawn over the canvas, in an SVG with the margins taken off. */
  children?: ReactNode;
  tip?: ReactNode;
}

const LETTER = 6.5;

/** The room inside the axes: [width, height]. */
export function roomOf(width: number, height: number): [number, number] {
  return [Math.max(0, width - MARGIN.left - MARGIN.right), height - MARGIN.top - MARGIN.bottom];
}

export function Frame({ label, summary, place, canvas, width, height, x, y, xName, yName, onMove, onLeave, onPick, children, tip }: Props) {
  const [wide, high] = roomOf(width, height);
  return (
    <figure className="plot" role="group" aria-label={label}>
      <div ref={place} className="plot-place" style={{ height }} onPointerMove={onMove} onPointerLeave={onLeave} onClick={onPick}>
        {width > 0 && (
          <svg className="plot-svg" width={width} height={height} aria-hidden="true">
            <g transform={`translate(${MARGIN.left},${MARGIN.top})`}>
              <Axis scale={y} side="left" grid={wide} />
              <Axis scale={x} side="bottom" y={high} grid={high} />
              <text className="plot-name" x={wide / 2} y={high + 36} textAnchor="middle">{middle(xName, Math.max(8, Math.floor(wide / LETTER)))}</text>
              <text className="plot-name" transform={`translate(-56,${high / 2}) rotate(-90)`} textAnchor="middle">{middle(yName, Math.max(8, Math.floor(high / LETTER)))}</text>
            </g>
          </svg>
        )}
        <canvas ref={canvas} className="plot-canvas" aria-hidden="true" />
        {width > 0 && <svg className="plot-svg" width={width} height={height} aria-hidden="true"><g transform={`translate(${MARGIN.left},${MARGIN.top})`}>{children}</g></svg>}
        {tip}
      </div>
      <figcaption className="unseen">{summary}</figcaption>
    </figure>
  );
}
