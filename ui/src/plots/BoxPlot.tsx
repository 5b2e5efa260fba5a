import { memo, useLayoutEffect, useMemo, useRef, useState, type PointerEvent } from "react";
import { counted, number } from "@/base/format";
import { useDark } from "@/base/preferences";
import { resolved } from "@/charts/colours";
import { boxesOf, type Box } from "@/plots/box";
import { cleared, useWidth } from "@/plots/canvas";
import type { Dimension } from "@/plots/dimension";
import { Frame, MARGIN, roomOf } from "@/plots/Frame";
import { RunTip, type NamedRun } from "@/plots/RunTip";
import { dots } from "@/plots/Scatter";
import { dimensionOf } from "@/plots/dimension";
import { scaleOf } from "@/plots/scale";
import { nearestPoint, shift, type Points } from "@/plots/scatter";

interface Props {
  by: Dimension;
  y: Dimension;
  boxes: readonly Box[];
  runs: readonly NamedRun[];
  isLog: (dimension: Dimension) => boolean;
  onOpen: (run: NamedRun) => void;
  height: number;
}

const WIDEST = 90;
const SHARE = 0.55;
const REACH = 10;

/** The boxes of kept runs: numbers are named as they are shown. */
export function boxesBy(by: Dimension, y: Dimension, kept: readonly number[]): readonly Box[] {
  return boxesOf(by, y, kept, (value) => (by.kind === "category" ? by.categories[value] ?? "" : number(value)));
}

/** A box a category, with all of its runs as points. */
export const BoxPlot = memo(function BoxPlot({ by, y, boxes, runs, isLog, onOpen, height }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(place);
  const dark = useDark();
  const [hovered, setHovered] = useState(-1);
  const [wide, high] = roomOf(width, height);
  const categories = useMemo(() => ({ ...dimensionOf(by.key, by.title, ["a", "b"]), categories: boxes.map((box) => box.name), domain: [0, Math.max(0, boxes.length - 1)] as const }), [by, boxes]);
  const xScale = useMemo(() => scaleOf(categories, [0, wide], { ticks: wide / 240, longest: Math.max(6, Math.floor(wide / Math.max(1, boxes.length) / 7)) }), [categories, wide, boxes.length]);
  const yScale = useMemo(() => scaleOf(y, [high, 0], { log: isLog(y), ticks: 6, longest: 9 }), [y, high, isLog]);
  const half = Math.min(WIDEST, SHARE * (wide / Math.max(1, boxes.length))) / 2;
  const points = useMemo((): Points => {
    const placed = boxes.flatMap((box, at) => box.runs.map((run) => ({ run, x: xScale.place(at) + shift(run) * half * 1.4, y: yScale.place(y.values[run] ?? NaN) }))).filter((point) => !Number.isNaN(point.y));
    return { runs: placed.map((point) => point.run), x: Float64Array.from(placed, (point) => point.x), y: Float64Array.from(placed, (point) => point.y) };
  }, [boxes, xScale, yScale, half, y]);
  useLayoutEffect(() => {
    const context = canvas.current && width > 0 ? cleared(canvas.current, width, height) : null;
    if (!context) return;
    context.translate(MARGIN.left, MARGIN.top);
    const accent = resolved("var(--accent)");
    return dots(context, points, () => accent, points.runs.length > 500 ? 0.35 : 0.65, points.runs.length > 500 ? 2 : 3);
  }, [points, width, height, dark]);
  const hover = (event: PointerEvent<HTMLDivElement>) => {
    const rect = event.currentTarget.getBoundingClientRect();
    setHovered(nearestPoint(points, event.clientX - rect.left - MARGIN.left, event.clientY - rect.top - MARGIN.top, REACH));
  };
  const run = points.runs[hovered];
  const named = run === undefined ? undefined : runs[run];
  const count = boxes.reduce((sum, box) => sum + box.runs.length, 0);
  const facts = `${counted(count, "run")} in ${counted(boxes.length, "category", "categories")}; the box holds the middle half, the line is the median`;
  return (
    <>
      <p className="plot-facts soft figure">{facts}</p>
      <Frame
        label="Box plot" summary={`${y.title} by ${by.title}: ${boxes.map((box) => `${box.name} has the median ${number(box.median, 4)} of ${counted(box.runs.length, "run")}`).join(", ")}.`}
        place={place} canvas={canvas} width={width} height={height} x={xScale} y={yScale} xName={by.title} yName={y.title}
        onMove={hover} onLeave={() => setHovered(-1)} onPick={() => named && onOpen(named)}
        tip={named && run !== undefined && <RunTip run={named} at={run} x={(points.x[hovered] ?? 0) + MARGIN.left} y={(points.y[hovered] ?? 0) + MARGIN.top} width={width} dimensions={[by, y]} />}
      >
        {boxes.map((box, at) => <BoxShape key={box.name} box={box} x={xScale.place(at)} half={half} floor={high} placeOf={yScale.place} />)}
        {named && <circle className="plot-point" cx={points.x[hovered]} cy={points.y[hovered]} r={5} />}
      </Frame>
    </>
  );
});

interface ShapeProps {
  box: Box;
  x: number;
  half: number;
  floor: number;
  placeOf: (value: number) => number;
}

function BoxShape({ box, x, half, floor, placeOf }: ShapeProps) {
  const pixel = (value: number) => {
    const at = placeOf(value);
    // What is not above zero lies below a logarithmic axis.
    return Number.isNaN(at) ? floor : at;
  };
  const [low, first, median, third, high] = [box.low, box.first, box.median, box.third, box.high].map(pixel) as [number, number, number, number, number];
  return (
    <g className="plot-box">
      <path d={`M${x} ${low}V${first}M${x} ${third}V${high}M${x - half / 2} ${low}H${x + half / 2}M${x - half / 2} ${high}H${x + half / 2}`} />
      <rect x={x - half} y={Math.min(first, third)} width={half * 2} height={Math.max(1, Math.abs(first - third))} />
      <path className="median" d={`M${x - half} ${median}H${x + half}`} />
    </g>
  );
}
