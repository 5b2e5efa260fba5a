import { memo, useCallback, useMemo } from "react";
import { counted, number } from "@/base/format";
import { resolved } from "@/charts/colours";
import { boxesOf, type Box } from "@/plots/box";
import { dimensionOf, type Dimension } from "@/plots/dimension";
import { dots, Frame, upScale, usePlane } from "@/plots/Frame";
import type { NamedRun } from "@/plots/RunTip";
import { scaleOf } from "@/plots/scale";
import { shift, type Points } from "@/plots/scatter";

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
const MANY = 500;

/** The boxes of kept runs: numbers are named as they are shown. */
export function boxesBy(by: Dimension, y: Dimension, kept: readonly number[]): readonly Box[] {
  return boxesOf(by, y, kept, (value) => (by.kind === "category" ? by.categories[value] ?? "" : number(value)));
}

/** A box a category, with all of its runs as points. */
export const BoxPlot = memo(function BoxPlot({ by, y, boxes, runs, isLog, onOpen, height }: Props) {
  const plane = usePlane(height);
  const { wide, high } = plane;
  const categories = useMemo(() => ({ ...dimensionOf(by.key, by.title, ["a", "b"]), categories: boxes.map((box) => box.name), domain: [0, Math.max(0, boxes.length - 1)] as const }), [by, boxes]);
  const xScale = useMemo(() => scaleOf(categories, [0, wide], { ticks: wide / 240, longest: Math.max(6, Math.floor(wide / Math.max(1, boxes.length) / 7)) }), [categories, wide, boxes.length]);
  const yScale = useMemo(() => upScale(y, high, isLog(y)), [y, high, isLog]);
  const half = Math.min(WIDEST, SHARE * (wide / Math.max(1, boxes.length))) / 2;
  const points = useMemo((): Points => {
    const placed = boxes.flatMap((box, at) => box.runs.map((run) => ({ run, x: xScale.place(at) + shift(run) * half * 1.4, y: yScale.place(y.values[run] ?? NaN) }))).filter((point) => !Number.isNaN(point.y));
    return { runs: placed.map((point) => point.run), x: Float64Array.from(placed, (point) => point.x), y: Float64Array.from(placed, (point) => point.y) };
  }, [boxes, xScale, yScale, half, y]);
  const paint = useCallback((context: CanvasRenderingContext2D) => {
    const accent = resolved("var(--accent)");
    const many = points.runs.length > MANY;
    return dots(context, points, () => accent, many ? 0.35 : 0.65, many ? 2 : 3);
  }, [points]);
  const count = boxes.reduce((sum, box) => sum + box.runs.length, 0);
  const facts = `${counted(count, "run")} in ${counted(boxes.length, "category", "categories")}; the box holds the middle half, the line is the median`;
  return (
    <Frame
      label="Box plot" plane={plane} x={xScale} y={yScale} xName={by.title} yName={y.title} facts={facts}
      summary={`${y.title} by ${by.title}: ${boxes.map((box) => `${box.name} has the median ${number(box.median, 4)} of ${counted(box.runs.length, "run")}`).join(", ")}.`}
      runs={runs} points={points} reach={REACH} paint={paint} dimensions={[by, y]} onOpen={onOpen}
    >
      {boxes.map((box, at) => <BoxShape key={box.name} box={box} x={xScale.place(at)} half={half} floor={high} placeOf={yScale.place} />)}
    </Frame>
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
