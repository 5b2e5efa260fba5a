import { memo, useCallback, useId, useMemo } from "react";
import { counted, number } from "@/base/format";
import { resolved } from "@/charts/colours";
import { coloursBy } from "@/plots/colour";
import type { Dimension } from "@/plots/dimension";
import { acrossScale, dots, Frame, upScale, usePlane } from "@/plots/Frame";
import { rankCorrelation, withBoth } from "@/plots/ranks";
import type { NamedRun } from "@/plots/RunTip";
import { pointsOf, trendOf } from "@/plots/scatter";

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
const MANY = 2000;

/** A point for each run with both values; those outside the limits are faint. */
export const Scatter = memo(function Scatter({ x, y, colour, runs, kept, isLog, trend, reference, onOpen, height }: Props) {
  const plane = usePlane(height);
  const { wide, high, dark } = plane;
  const clip = useId();
  const xScale = useMemo(() => acrossScale(x, wide, isLog(x)), [x, wide, isLog]);
  const yScale = useMemo(() => upScale(y, high, isLog(y)), [y, high, isLog]);
  const points = useMemo(() => pointsOf(x, y, xScale, yScale, kept, SPREAD), [x, y, xScale, yScale, kept]);
  const others = useMemo(() => {
    const inside = new Set(kept);
    return pointsOf(x, y, xScale, yScale, runs.flatMap((_, run) => (inside.has(run) ? [] : [run])), SPREAD);
  }, [x, y, xScale, yScale, kept, runs]);
  const colours = useMemo(() => coloursBy(colour, runs.length, colour !== null && isLog(colour), dark), [colour, runs.length, isLog, dark]);
  const line = useMemo(() => (x.kind === "number" && y.kind === "number" ? trendOf(points) : null), [x, y, points]);
  const paint = useCallback((context: CanvasRenderingContext2D) => {
    const grey = resolved("var(--fg-3)");
    const many = points.runs.length > MANY;
    const ends = [
      dots(context, others, () => grey, 0.25, 2.5),
      dots(context, points, (run) => colours[run] ?? "", many ? 0.5 : 0.85, many ? 2.5 : 4),
    ];
    return () => ends.forEach((end) => end());
  }, [points, others, colours]);
  const marked = points.runs.indexOf(reference);
  const both = useMemo(() => withBoth(x, y, kept), [x, y, kept]);
  const rho = useMemo(() => (x.kind === "number" && y.kind === "number" ? rankCorrelation(both.map((at) => x.values[at] ?? 0), both.map((at) => y.values[at] ?? 0)) : null), [x, y, both]);
  const facts = [
    points.runs.length === kept.length ? counted(kept.length, "run") : `${points.runs.length} of ${counted(kept.length, "run")} have a place on both axes`,
    ...(rho !== null ? [`rank correlation ${number(rho, 3)}`] : []), ...(trend && line ? [`the line explains ${number(line.share * 100, 3)} %`] : []),
  ].join(", ");
  return (
    <Frame
      label="Scatter plot" plane={plane} x={xScale} y={yScale} xName={x.title} yName={y.title} facts={facts} summary={`${y.title} over ${x.title}: ${facts}.`}
      runs={runs} points={points} reach={REACH} paint={paint} dimensions={[...new Set([x, y, ...(colour ? [colour] : [])])]} onOpen={onOpen}
    >
      <clipPath id={clip}><rect width={wide} height={high} /></clipPath>
      {trend && line && <path className="plot-trend" clipPath={`url(#${clip})`} d={`M0 ${line.start}L${wide} ${line.start + line.slope * wide}`} />}
      {marked >= 0 && <circle className="plot-point reference" cx={points.x[marked]} cy={points.y[marked]} r={7} />}
    </Frame>
  );
});
