import { memo } from "react";
import type { AxisScale } from "@/plots/scale";

interface Props {
  scale: AxisScale;
  side: "left" | "bottom";
  x?: number;
  y?: number;
  /** How far lines across the plot reach; none without it. */
  grid?: number;
}

const TICK = 4;
const PADDING = { ticks: 3, grid: 6 };

/** An axis with its ticks, in an SVG. */
export const Axis = memo(function Axis({ scale, side, x = 0, y = 0, grid = 0 }: Props) {
  const left = side === "left";
  const [start, end] = scale.range;
  const half = devicePixelRatio > 1 ? 0 : 0.5;  // lines of one pixel
  const away = grid ? PADDING.grid : TICK + PADDING.ticks;
  const length = grid || -TICK;
  return (
    <g className={grid ? "plot-axis ruled" : "plot-axis"} transform={`translate(${x},${y})`} textAnchor={left ? "end" : "middle"}>
      <path d={left ? `M${half} ${start}V${end}` : `M${start} ${half}H${end}`} />
      {scale.ticks.map(({ value, at, label }) => (
        <g key={value} transform={left ? `translate(0,${at + half})` : `translate(${at + half},0)`}>
          <line {...(left ? { x2: length } : { y2: -length })} />
          <text {...(left ? { x: -away, dy: "0.32em" } : { y: away, dy: "0.71em" })}>{label}</text>
        </g>
      ))}
    </g>
  );
});
