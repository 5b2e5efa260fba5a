// Lines over one axis, drawn by uPlot: buckets with a lowest and highest value keep every spike.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import uPlot from "uplot";
import { counted, number } from "@/base/format";
import { useDark } from "@/base/preferences";
import { faint, resolved } from "@/charts/colours";
import { aligned, smoothed, summary } from "@/charts/series";
import "@/charts/charts.css";

export interface Line {
  id: string;
  name: string;
  /** A colour, also as var(--run-3). */
  colour: string;
  dash?: readonly number[];
  x: ArrayLike<number>;
  /** The value at the end of each bucket. NaN makes a gap. */
  y: ArrayLike<number>;
  /** The lowest and highest value of each bucket, where a bucket holds several points. */
  min?: ArrayLike<number>;
  max?: ArrayLike<number>;
  /** How many points were logged. */
  points?: number;
}

interface Props {
  /** What the values are; the chart's name for who does not see it. */
  label: string;
  lines: readonly Line[];
  height?: number;
  log?: boolean;
  /** 0 to 0.99: how much the past weighs; the raw line stays, faint. */
  smoothing?: number;
  /** What x is: shown values and axis follow it. */
  axis?: "step" | "time" | "relative" | "value" | "version";
  /** The part of the axis that is shown; null for all. */
  zoom?: readonly [number, number] | null;
  /** Told when a part is dragged out (pixels wide), and null by a double click. */
  onZoom?: (zoom: readonly [number, number] | null) => void;
  /** Charts with the same key share their cross-hair. */
  sync?: string;
  /** The line that stands out. */
  highlighted?: string | null;
}

const NAMES = 8;
const DAY_SECONDS = 86_400;
// What a time with seconds needs, in pixels.
const TIME_WIDTH = 72;
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
// How much of its colour a line keeps beside one that stands out.
const APART = 0.45;

export function LineChart({ label, lines, height = 180, log = false, smoothing = 0, axis = "step", zoom = null, onZoom, sync, highlighted = null }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const dark = useDark();
  const [width, setWidth] = useState(0);
  const [at, setAt] = useState<{ left: number; x: number } | null>(null);
  const zoomed = useRef(onZoom);
  useEffect(() => {
    zoomed.current = onZoom;
  });
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    setWidth(element.clientWidth);
    const seen = new ResizeObserver(() => setWidth(element.clientWidth));
    seen.observe(element);
    return () => seen.disconnect();
  }, []);
  const from = zoom?.[0];
  const to = zoom?.[1];
  useLayoutEffect(() => {
    const element = place.current;
    if (!element || width < 40) return;
    const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const { data, series } = aligned(lines, smoothing);
    const made = new uPlot({
      width, height, legend: { show: false }, padding: [6, 14, 0, 0],
      cursor: {
        drag: { x: true, y: false, setScale: false }, focus: { prox: 24 },
        points: { size: 6 }, ...(sync ? { sync: { key: sync, scales: ["x", null] as [string, null] } } : {}),
      },
      focus: { alpha: 0.3 },
      scales: {
        x: { time: axis === "time", ...(from !== undefined && to !== undefined ? { range: [from, to] as [number, number] } : {}) },
        y: { distr: log ? 3 : 1 },
      },
      axes: [
        { stroke: css("--fg-2"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui", size: 24, values: (_: uPlot, ticks: number[]) => (axis === "time" ? timeTicks(ticks) : ticks.map((tick) => number(tick, 4))), ...(axis === "version" ? { incrs: WHOLE } : {}), ...(axis === "time" ? { space: TIME_WIDTH } : {}) },
        { stroke: css("--fg-2"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui", size: 52, values: (_: uPlot, ticks: (number | null)[]) => ticks.map((tick) => (tick === null ? "" : number(tick, 4))) },
      ],
      series: [{}, ...series.map(({ line, kind }) => {
        const owner = lines[line];
        const colour = resolved(owner?.colour ?? "var(--run-0)");
        const apart = highlighted !== null && owner?.id !== highlighted;
        return {
          scale: "y", spanGaps: true, points: { show: kind === "value" && (axis === "version" || (owner?.x.length ?? 0) === 1), size: 5, fill: colour },
          stroke: kind === "value" ? faint(colour, apart ? APART : 1) : kind === "raw" ? faint(colour, 0.25) : faint(colour, apart ? 0.1 : 0.5),
          width: owner?.id === highlighted ? 2.25 : 1.25, dash: kind === "value" ? [...(owner?.dash ?? [])] : [],
        };
      })],
      bands: series.flatMap(({ line, kind }, index) => (kind === "max" ? [{ series: [index + 1, index + 2] as [number, number], fill: faint(resolved(lines[line]?.colour ?? ""), 0.22) }] : [])),
      hooks: {
        setCursor: [(chart) => {
          const { left = -1, idx } = chart.cursor;
          const x = idx === null || idx === undefined ? undefined : chart.data[0][idx];
          setAt(left < 0 || x === undefined ? null : { left, x });
        }],
        setSelect: [(chart) => {
          if (chart.select.width < 4) return;
          zoomed.current?.([chart.posToVal(chart.select.left, "x"), chart.posToVal(chart.select.left + chart.select.width, "x")]);
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
      },
    }, data, element);
    const back = () => zoomed.current?.(null);
    made.over.addEventListener("dblclick", back);
    return () => made.destroy();
  }, [lines, width, height, log, smoothing, axis, from, to, sync, highlighted, dark]);
  const near = at ? nearest(lines, at.x, smoothing) : null;
  return (
    <figure className="chart" role="group" aria-label={label}>
      <div ref={place} className="chart-place" aria-hidden="true" style={{ height }} />
      <figcaption className="unseen">{summary(label, lines)}</figcaption>
      {near && at && near.rows.length > 0 && (
        <div className="chart-tip" style={at.left > width / 2 ? { right: width - at.left } : { left: at.left + 60 }}>
          <p className="soft">{axisText(axis, near.x)}</p>
          {near.rows.slice(0, NAMES).map((row) => (
            <p key={row.id} className="line"><span className="swatch" style={{ background: row.colour }} /><span className="figure">{number(row.value)}</span><span className="grow">{row.name}</span></p>
          ))}
          {near.rows.length > NAMES && <p className="soft">{counted(near.rows.length - NAMES, "more line")}</p>}
        </div>
      )}
    </figure>
  );
}

/** Times of one line each: of the day, or the day where ticks are a day apart or more. */
function timeTicks(ticks: readonly number[]): string[] {
  const apart = (ticks[1] ?? 0) - (ticks[0] ?? 0);
  const form: Intl.DateTimeFormatOptions = apart >= DAY_SECONDS ? { month: "short", day: "numeric" }
    : { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(apart > 0 && apart < 60 ? { second: "2-digit" as const } : {}) };
  return ticks.map((tick) => new Date(tick * 1000).toLocaleString(undefined, form));
}

function axisText(axis: NonNullable<Props["axis"]>, x: number): string {
  if (axis === "time") return new Date(x * 1000).toLocaleString();
  return `${axis === "value" ? "x" : axis} ${number(x)}`;
}

interface Near {
  x: number;
  rows: { id: string; name: string; colour: string; value: number }[];
}

/** The value of each line at the place of the cursor, or at the nearest it has, the highest first. */
function nearest(lines: readonly Line[], x: number, smoothing: number): Near {
  const rows = lines.flatMap((line) => {
    const at = closest(line.x, x);
    const value = at < 0 ? undefined : smoothing > 0 ? smoothed(line.y, smoothing)[at] : line.y[at];
    return value === undefined || Number.isNaN(value) ? [] : [{ id: line.id, name: line.name, colour: line.colour, value }];
  });
  return { x, rows: rows.sort((a, b) => b.value - a.value) };
}

function closest(values: ArrayLike<number>, x: number): number {
  let low = 0;
  let high = values.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) < x) low = middle + 1;
    else high = middle;
  }
  const before = values[low - 1];
  return before !== undefined && x - before < (values[low] ?? Infinity) - x ? low - 1 : low;
}
