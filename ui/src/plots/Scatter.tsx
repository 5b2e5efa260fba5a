import { memo, useId, useLayoutEffect, useMemo, useRef, useState, type PointerEvent } from "react";
import { counted, number } from "@/base/format";
import { useDark } from "@/base/preferences";
import { resolved } from "@/charts/colours";
import { cleared, inSlices, spread, useWidth } from "@/plots/canvas";
import { coloursBy } from "@/plots/colour";
import type { Dimension } from "@/plots/dimension";
import { Frame, MARGIN, roomOf } from "@/plots/Frame";
import { rankCorrelation, withBoth } from "@/plots/ranks";
import { RunTip, type NamedRun } from "@/plots/RunTip";
import { scaleOf } from "@/plots/scale";
import { nearestPoint, pointsOf, trendOf, type Points } from "@/plots/scatter";

interface Props {
  x: Dimension;
  y: Dimension;
  colour: Dimension | null;
  runs: readonly NamedRun[];
  kept: readonly number[];
  isLog: (dimension: Dimension) => boolean;
  trend: boolean;
  reference: number;
  onOpen: (run: NamedRun) => void;
  height: number;
}

const REACH = 12;
const SPREAD = 26;

/** A point for each run with both values; those outside the limits are faint. */
export const Scatter = memo(function Scatter({ x, y, colour, runs, kept, isLog, trend, reference, onOpen, height }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const clip = useId();
  const width = useWidth(place);
  const dark = useDark();
  const [hovered, setHovered] = useState(-1);
  const [wide, high] = roomOf(width, height);
  const xScale = useMemo(() => scaleOf(x, [0, wide], { log: isLog(x), ticks: Math.max(3, wide / 110) }), [x, wide, isLog]);
  const yScale = useMemo(() => scaleOf(y, [high, 0], { log: isLog(y), ticks: 6, longest: 9 }), [y, high, isLog]);
  const points = useMemo(() => pointsOf(x, y, xScale, yScale, kept, SPREAD), [x, y, xScale, yScale, kept]);
  const others = useMemo(() => {
    const inside = new Set(kept);
    return pointsOf(x, y, xScale, yScale, runs.flatMap((_, run) => (inside.has(run) ? [] : [run])), SPREAD);
  }, [x, y, xScale, yScale, kept, runs]);
  const colours = useMemo(() => coloursBy(colour, runs.length, colour !== null && isLog(colour), dark), [colour, runs.length, isLog, dark]);
  const line = useMemo(() => (x.kind === "number" && y.kind === "number" ? trendOf(points) : null), [x, y, points]);
  useLayoutEffect(() => {
    const context = canvas.current && width > 0 ? cleared(canvas.current, width, height) : null;
    if (!context) return;
    context.translate(MARGIN.left, MARGIN.top);
    const grey = resolved("var(--fg-3)");
    const endOthers = dots(context, others, () => grey, 0.25, 2.5);
    const end = dots(context, points, (run) => colours[run] ?? "", points.runs.length > 2000 ? 0.5 : 0.85, points.runs.length > 2000 ? 2.5 : 4);
    return () => {
      endOthers();
      end();
    };
  }, [points, others, colours, width, height, dark]);
  const hover = (event: PointerEvent<HTMLDivElement>) => {
    const rect = event.currentTarget.getBoundingClientRect();
    setHovered(nearestPoint(points, event.clientX - rect.left - MARGIN.left, event.clientY - rect.top - MARGIN.top, REACH));
  };
  const run = points.runs[hovered];
  const named = run === undefined ? undefined : runs[run];
  const marked = points.runs.indexOf(reference);
  const both = useMemo(() => withBoth(x, y, kept), [x, y, kept]);
  const rho = useMemo(() => (x.kind === "number" && y.kind === "number" ? rankCorrelation(both.map((at) => x.values[at] ?? 0), both.map((at) => y.values[at] ?? 0)) : null), [x, y, both]);
  const facts = [
    points.runs.length === kept.length ? counted(kept.length, "run") : `${points.runs.length} of ${counted(kept.length, "run")} have a place on both axes`,
    ...(rho !== null ? [`rank correlation ${number(rho, 3)}`] : []), ...(trend && line ? [`the line explains ${number(line.share * 100, 3)} %`] : []),
  ].join(", ");
  return (
    <>
      <p className="plot-facts soft figure">{facts}</p>
      <Frame
        label="Scatter plot" summary={`${y.title} over ${x.title}: ${facts}.`} place={place} canvas={canvas} width={width} height={height} x={xScale} y={yScale} xName={x.title} yName={y.title}
        onMove={hover} onLeave={() => setHovered(-1)} onPick={() => named && onOpen(named)}
        tip={named && run !== undefined && <RunTip run={named} at={run} x={(points.x[hovered] ?? 0) + MARGIN.left} y={(points.y[hovered] ?? 0) + MARGIN.top} width={width} dimensions={[...new Set([x, y, ...(colour ? [colour] : [])])]} />}
      >
        <clipPath id={clip}><rect width={wide} height={high} /></clipPath>
        {trend && line && <path className="plot-trend" clipPath={`url(#${clip})`} d={`M0 ${line.start}L${wide} ${line.start + line.slope * wide}`} />}
        {marked >= 0 && <circle className="plot-point reference" cx={points.x[marked]} cy={points.y[marked]} r={7} />}
        {named && <circle className="plot-point" cx={points.x[hovered]} cy={points.y[hovered]} r={6} />}
      </Frame>
    </>
  );
});

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
