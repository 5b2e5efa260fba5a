import { memo, useCallback, useMemo } from "react";
import { counted } from "@/base/format";
import { resolved } from "@/charts/colours";
import { ramp } from "@/plots/colour";
import { areasOf, levelsOf, placesOf, surfaceOf } from "@/plots/contour";
import type { Dimension } from "@/plots/dimension";
import { acrossScale, Frame, upScale, usePlane } from "@/plots/Frame";
import { withBoth } from "@/plots/ranks";
import type { NamedRun } from "@/plots/RunTip";
import { scaleOf } from "@/plots/scale";
import { pointsOf } from "@/plots/scatter";

interface Props {
  x: Dimension;
  y: Dimension;
  z: Dimension;
  runs: readonly NamedRun[];
  kept: readonly number[];
  isLog: (dimension: Dimension) => boolean;
  onOpen: (run: NamedRun) => void;
  height: number;
}

const STEP = 3;
const LEVELS = 10;
const REACH = 12;

/** A value over two others: between the runs, never beyond them, with each run as a point. */
export const Contour = memo(function Contour({ x, y, z, runs, kept, isLog, onOpen, height }: Props) {
  const plane = usePlane(height);
  const { wide, high, dark } = plane;
  const xScale = useMemo(() => acrossScale(x, wide, isLog(x)), [x, wide, isLog]);
  const yScale = useMemo(() => upScale(y, high, isLog(y)), [y, high, isLog]);
  const zScale = useMemo(() => scaleOf(z, [0, 1], { log: isLog(z) }), [z, isLog]);
  const points = useMemo(() => pointsOf(x, y, xScale, yScale, withBoth(z, z, kept).filter((run) => !Number.isNaN(zScale.place(z.values[run] ?? NaN)))), [x, y, z, xScale, yScale, zScale, kept]);
  const shares = useMemo(() => points.runs.map((run) => zScale.place(z.values[run] ?? NaN)), [points, z, zScale]);
  const places = useMemo(() => placesOf(points.x, points.y, shares), [points, shares]);
  const surface = useMemo(() => (wide > 0 ? surfaceOf(places, wide, high, STEP) : null), [places, wide, high]);
  const paint = useCallback((context: CanvasRenderingContext2D) => {
    if (surface) {
      context.save();
      context.beginPath();
      for (const [left, top] of surface.hull) context.lineTo(left, top);
      context.closePath();
      context.clip();
      const [low, most] = [Math.min(...places.map((one) => one.z)), Math.max(...places.map((one) => one.z))];
      areasOf(surface, levelsOf(low, most, LEVELS), STEP).forEach(({ value, rings }, level) => {
        context.fillStyle = ramp(value + (level === 0 ? 0 : (most - low) / LEVELS / 2), dark);
        context.beginPath();
        // The lowest area is the whole hull.
        if (level === 0) context.rect(0, 0, wide, high);
        for (const ring of level === 0 ? [] : rings) {
          ring.forEach(([left, top], at) => (at === 0 ? context.moveTo(left, top) : context.lineTo(left, top)));
          context.closePath();
        }
        context.fill("evenodd");
      });
      context.restore();
    }
    const edge = resolved("var(--bg-1)");
    points.runs.forEach((_, at) => {
      context.beginPath();
      context.arc(points.x[at] ?? 0, points.y[at] ?? 0, 4, 0, 2 * Math.PI);
      context.fillStyle = ramp(shares[at] ?? 0, dark);
      context.fill();
      context.strokeStyle = edge;
      context.lineWidth = 1.5;
      context.stroke();
    });
    return undefined;
  }, [surface, points, shares, places, wide, high, dark]);
  const facts = `n = ${counted(points.runs.length, "run")} at ${counted(places.length, "place")}; ${surface ? "colours between runs are interpolated" : "they span no area, so there is nothing to interpolate between them"}`;
  return (
    <Frame
      label="Contour plot" plane={plane} x={xScale} y={yScale} xName={x.title} yName={y.title} facts={facts} summary={`${z.title} over ${x.title} and ${y.title}: ${facts}.`}
      runs={runs} points={points} reach={REACH} paint={paint} dimensions={[x, y, z]} onOpen={onOpen}
    />
  );
});
