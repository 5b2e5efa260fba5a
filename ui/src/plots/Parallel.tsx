// Parallel coordinates: an axis a column, a line a run. Lines are drawn on two canvases (all runs faint, those that the
// brush keeps), axes and brushes in an SVG above them, the axes' menus as buttons over it.
import { memo, useLayoutEffect, useMemo, useRef, useState, type PointerEvent } from "react";
import { counted } from "@/base/format";
import { useDark } from "@/base/preferences";
import { resolved } from "@/charts/colours";
import { MenuButton, type MenuItem } from "@/parts/Menu";
import { Axis } from "@/plots/Axis";
import { AxisBrush } from "@/plots/AxisBrush";
import type { Brush } from "@/plots/brush";
import { cleared, useWidth } from "@/plots/canvas";
import { coloursBy } from "@/plots/colour";
import type { Dimension } from "@/plots/dimension";
import { LimitDialog } from "@/plots/LimitDialog";
import { drawLines, linesOf, nearestLine, opacityOf, pathOf, SHELF } from "@/plots/parallel";
import { RunTip, type NamedRun } from "@/plots/RunTip";
import { scaleOf } from "@/plots/scale";
import "@/plots/plots.css";

interface Props {
  dimensions: readonly Dimension[];
  runs: readonly NamedRun[];
  /** The runs that the brush keeps, as places in `runs`. */
  kept: readonly number[];
  colour: Dimension | null;
  brush: Brush;
  onBrush: (brush: Brush, done: boolean) => void;
  isLog: (dimension: Dimension) => boolean;
  flipped: ReadonlySet<string>;
  onLog: (key: string) => void;
  onFlip: (key: string) => void;
  /** The axes in a new order, or without one of them. */
  onAxes: (keys: readonly string[]) => void;
  /** The run that others are compared with. */
  reference: number;
  onOpen: (run: NamedRun) => void;
  height: number;
}

const EDGE = 56;
const TOP = 8;
const BOTTOM = 26;
const REACH = 8;
const DRAG = 6;

export const Parallel = memo(function Parallel(props: Props) {
  const { dimensions, runs, kept, colour, brush, onBrush, isLog, flipped, onLog, onFlip, onAxes, reference, onOpen, height } = props;
  const place = useRef<HTMLDivElement>(null);
  const back = useRef<HTMLCanvasElement>(null);
  const front = useRef<HTMLCanvasElement>(null);
  const width = useWidth(place);
  const dark = useDark();
  const [hovered, setHovered] = useState<{ run: number; x: number; y: number } | null>(null);
  const [limiting, setLimiting] = useState<Dimension | null>(null);
  const [dragged, setDragged] = useState<{ key: string; x: number } | null>(null);
  const inner = height - TOP - BOTTOM;
  const scales = useMemo(
    () => dimensions.map((dimension) => scaleOf(dimension, [inner, 0], { log: isLog(dimension), flip: flipped.has(dimension.key), ticks: 6 })),
    [dimensions, inner, isLog, flipped],
  );
  const gap = dimensions.length > 1 ? (width - 2 * EDGE) / (dimensions.length - 1) : 0;
  const xs = useMemo(() => dimensions.map((_, at) => (dimensions.length === 1 ? width / 2 : EDGE + at * gap)), [dimensions, gap, width]);
  const lines = useMemo(() => linesOf(dimensions, scales, xs, inner), [dimensions, scales, xs, inner]);
  const colours = useMemo(() => coloursBy(colour, runs.length, colour !== null && isLog(colour), dark), [colour, runs.length, isLog, dark]);
  const some = kept.length < runs.length;

  useLayoutEffect(() => {
    const context = back.current && width > 0 ? cleared(back.current, width, height) : null;
    if (!context || !some) return;
    context.translate(0, TOP);
    const grey = resolved("var(--fg-3)");
    return drawLines(context, lines, runs.map((_, run) => run), () => grey, opacityOf(runs.length) * 0.4);
  }, [lines, runs, some, width, height, dark]);
  useLayoutEffect(() => {
    const context = front.current && width > 0 ? cleared(front.current, width, height) : null;
    if (!context) return;
    context.translate(0, TOP);
    return drawLines(context, lines, kept, (run) => colours[run] ?? "", opacityOf(kept.length));
  }, [lines, kept, colours, width, height]);

  const setRange = (key: string, range: readonly [number, number] | null, done: boolean) => {
    const next = new Map(brush);
    if (range) next.set(key, range);
    else next.delete(key);
    onBrush(next, done);
  };
  const hover = (event: PointerEvent<HTMLDivElement>) => {
    if (event.buttons) return setHovered(null);
    const rect = event.currentTarget.getBoundingClientRect();
    const [x, y] = [event.clientX - rect.left, event.clientY - rect.top];
    const run = nearestLine(lines, kept, x, y - TOP, REACH);
    setHovered(run < 0 ? null : { run, x, y });
  };
  const keys = dimensions.map((dimension) => dimension.key);
  const moved = (key: string, by: number) => {
    const next = keys.filter((other) => other !== key);
    next.splice(Math.max(0, keys.indexOf(key) + by), 0, key);
    onAxes(next);
  };
  const menuOf = (dimension: Dimension, at: number): MenuItem[] => [
    { label: "Limit…", icon: "filter", run: () => setLimiting(dimension), disabled: dimension.domain === null },
    ...(brush.has(dimension.key) ? [{ label: "Clear the limit", icon: "close" as const, run: () => setRange(dimension.key, null, true) }] : []),
    ...(dimension.kind === "number" ? [{ label: "Logarithmic", section: true as const, checked: isLog(dimension), disabled: (dimension.domain?.[1] ?? 0) <= 0, run: () => onLog(dimension.key) }] : []),
    { label: "Flipped", checked: flipped.has(dimension.key), run: () => onFlip(dimension.key) },
    { label: "Move to the left", icon: "chevronLeft", section: true, disabled: at === 0, run: () => moved(dimension.key, -1) },
    { label: "Move to the right", icon: "chevronRight", disabled: at === keys.length - 1, run: () => moved(dimension.key, 1) },
    { label: "Remove the axis", icon: "close", section: true, disabled: keys.length < 2, run: () => onAxes(keys.filter((key) => key !== dimension.key)) },
  ];
  const drag = (key: string, event: PointerEvent<HTMLDivElement>) => {
    const head = event.currentTarget;
    const from = event.clientX;
    const start = xs[keys.indexOf(key)] ?? 0;
    let x = start;
    const move = (now: globalThis.PointerEvent) => {
      if (x === start && Math.abs(now.clientX - from) < DRAG) return;
      x = start + now.clientX - from;
      setDragged({ key, x });
    };
    const end = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
      if (x === start) return;
      // The click that ends a drag opens no menu.
      const stop = (click: Event) => click.stopPropagation();
      head.addEventListener("click", stop, { capture: true });
      setTimeout(() => head.removeEventListener("click", stop, { capture: true }));
      setDragged(null);
      onAxes([...keys].sort((a, b) => (a === key ? x : xs[keys.indexOf(a)] ?? 0) - (b === key ? x : xs[keys.indexOf(b)] ?? 0)));
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  };
  const shown = hovered ?? null;
  const title = `Parallel coordinates of ${counted(runs.length, "run")} over ${dimensions.map((dimension) => dimension.title).join(", ")}`;
  return (
    <figure className="plot" role="group" aria-label="Parallel coordinates">
      <div className="parallel-heads">
        {width > 0 && dimensions.map((dimension, at) => (
          <div
            key={dimension.key} className={`parallel-head${dragged?.key === dimension.key ? " dragged" : ""}`} onPointerDown={(event) => drag(dimension.key, event)}
            style={{ left: dragged?.key === dimension.key ? dragged.x : xs[at], maxWidth: Math.max(48, Math.min(gap || width, 2 * EDGE) - 6) }}
          >
            <MenuButton label={`Axis ${dimension.title}`} items={() => menuOf(dimension, at)} align="start" className="parallel-name">
              <span className="cut" data-tip={dimension.title}>{dimension.title}</span>
            </MenuButton>
          </div>
        ))}
      </div>
      <div ref={place} className="plot-place" style={{ height }} onPointerMove={hover} onPointerLeave={() => setHovered(null)} onClick={() => shown && runs[shown.run] && onOpen(runs[shown.run] as NamedRun)}>
        <canvas ref={back} className="plot-canvas" aria-hidden="true" />
        <canvas ref={front} className="plot-canvas" aria-hidden="true" />
        {width > 0 && (
          <svg className="plot-svg" width={width} height={height} aria-hidden="true">
            <g transform={`translate(0,${TOP})`}>
              {reference >= 0 && <path className="plot-line reference" d={pathOf(lines, reference)} />}
              {shown && <path className="plot-line" d={pathOf(lines, shown.run)} />}
              {dimensions.map((dimension, at) => scales[at] && (
                <g key={dimension.key} className="parallel-axis">
                  <Axis scale={scales[at]} side="left" x={xs[at] ?? 0} />
                  {dimension.without > 0 && <text className="plot-without" x={(xs[at] ?? 0) - 7} y={inner + SHELF + 4} textAnchor="end">none</text>}
                  <AxisBrush scale={scales[at]} x={xs[at] ?? 0} height={inner} range={brush.get(dimension.key)} onBrush={(range, done) => setRange(dimension.key, range, done)} />
                </g>
              ))}
            </g>
          </svg>
        )}
        {shown && runs[shown.run] && <RunTip run={runs[shown.run] as NamedRun} at={shown.run} x={shown.x} y={shown.y} width={width} dimensions={dimensions} />}
      </div>
      <figcaption className="unseen">{title}; {some ? `${counted(kept.length, "run")} within the limits` : "no limits"}.</figcaption>
      {limiting && <LimitDialog dimension={limiting} range={brush.get(limiting.key)} onClose={() => setLimiting(null)} onLimit={(range) => setRange(limiting.key, range, true)} />}
    </figure>
  );
});
