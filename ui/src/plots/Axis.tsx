import { axisBottom, axisLeft } from "d3-axis";
import { select } from "d3-selection";
import { memo, useLayoutEffect, useRef } from "react";
import type { AxisScale } from "@/plots/scale";

interface Props {
  scale: AxisScale;
  side: "left" | "bottom";
  x?: number;
  y?: number;
  /** How far lines across the plot reach; none without it. */
  grid?: number;
}

/** An axis with its ticks, in an SVG. */
export const Axis = memo(function Axis({ scale, side, x = 0, y = 0, grid = 0 }: Props) {
  const group = useRef<SVGGElement>(null);
  useLayoutEffect(() => {
    if (!group.current) return;
    const labels = new Map(scale.ticks.map((tick) => [tick.value, tick.label]));
    const axis = (side === "left" ? axisLeft<number>(scale.d3) : axisBottom<number>(scale.d3))
      .tickValues([...labels.keys()]).tickFormat((value) => labels.get(value) ?? "").tickSizeOuter(0).tickSizeInner(grid ? -grid : 4).tickPadding(grid ? 6 : 3);
    select(group.current).call(axis);
  }, [scale, side, grid]);
  return <g ref={group} className={grid ? "plot-axis ruled" : "plot-axis"} transform={`translate(${x},${y})`} />;
});
