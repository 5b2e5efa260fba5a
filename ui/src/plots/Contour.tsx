import { memo, useLayoutEffect, useMemo, useRef, useState, type PointerEvent } from "react";
import { counted } from "@/base/format";
import { useDark } from "@/base/preferences";
import { resolved } from "@/charts/colours";
import { cleared, useWidth } from "@/plots/canvas";
import { ramp } from "@/plots/colour";
import { areasOf, levelsOf, placesOf, surfaceOf } from "@/plots/contour";
import type { Dimension } from "@/plots/dimension";
import { Frame, MARGIN, roomOf } from "@/plots/Frame";
import { withBoth } from "@/plots/ranks";
import { RunTip, type NamedRun } from "@/plots/RunTip";
import { scaleOf } from "@/plots/scale";
import { nearestPoint, pointsOf } from "@/plots/scatter";

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
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(place);
  const dark = useDark();
  const [hovered, setHovered] = useState(-1);
  const [wide, high] = roomOf(width, height);
  const xScale = useMemo(() => scaleOf(x, [0, wide], { log: isLog(x), ticks: Math.max(3, wide / 110) }), [x, wide, isLog]);
  const yScale = useMemo(() => scaleOf(y, [high, 0], { log: isLog(y), ticks: 6, longest: 9 }), [y, high, isLog]);
  const zScale = useMemo(() => scaleOf(z, [0, 1], { log: isLog(z) }), [z, isLog]);
  const points = useMemo(() => pointsOf(x, y, xScale, yScale, withBoth(z, z, kept).filter((run) => !Number.isNaN(zScale.place(z.values[run] ?? NaN)))), [x, y, z, xScale, yScale, zScale, kept]);
  const shares = useMemo(() => points.runs.map((run) => zScale.place(z.values[run] ?? NaN)), [points, z, zScale]);
  const places = useMemo(() => placesOf(points.x, points.y, shares), [points, shares]);
  const surface = useMemo(() => (wide > 0 ? surfaceOf(places, wide, high, STEP) : null), [places, wide, high]);
  useLayoutEffect(() => {
    const context = canvas.current && width > 0 ? cleared(canvas.current, width, height) : null;
    if (!context) return;
    context.translate(MARGIN.left, MARGIN.top);
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
  }, [surface, points, shares, places, width, height, wide, high, dark]);
  const hover = (event: PointerEvent<HTMLDivElement>) => {
    const rect = event.currentTarget.getBoundingClientRect();
    setHovered(nearestPoint(points, event.clientX - rect.left - MARGIN.left, event.clientY - rect.top - MARGIN.top, REACH));
  };
  const run = points.runs[hovered];
  const named = run === undefined ? undefined : runs[run];
  const facts = `n = ${counted(points.runs.length, "run")} at ${counted(places.length, "place")}; ${surface ? "colours between runs are interpolated" : "they span no area, so there is nothing to interpolate between them"}`;
  return (
    <>
      <p className="plot-facts soft figure">{facts}</p>
      <Frame
        label="Contour plot" summary={`${z.title} over ${x.title} and ${y.title}: ${facts}.`} place={place} canvas={canvas} width={width} height={height} x={xScale} y={yScale} xName={x.title} yName={y.title}
        onMove={hover} onLeave={() => setHovered(-1)} onPick={() => named && onOpen(named)}
        tip={named && run !== undefined && <RunTip run={named} at={run} x={(points.x[hovered] ?? 0) + MARGIN.left} y={(points.y[hovered] ?? 0) + MARGIN.top} width={width} dimensions={[x, y, z]} />}
      >
        {named && <circle className="plot-point" cx={points.x[hovered]} cy={points.y[hovered]} r={6} />}
      </Frame>
    </>
  );
});
