// What lies near the cursor of a chart, and the lines that are drawn over a band.
import type { AlignedData } from "uplot";
import type uPlot from "uplot";
import { counted, number } from "@/base/format";
import { bandOf, nearest, type Band } from "@/charts/band";
import { resolved } from "@/charts/colours";
import type { Line } from "@/charts/LineChart";
import { smoothed, type Drawn } from "@/charts/series";

export interface Near {
  x: number;
  rows: { id: string; name: string; colour: string; value: number }[];
}

// How far from a line the cursor still means it, in pixels.
const NEAR = 24;
const bands = new WeakMap<readonly Line[], Map<number, Band>>();
const smooth = new WeakMap<Line, { weight: number; y: ArrayLike<number> }>();

/** The values of a line as they are drawn; made once. */
function valuesOf(line: Line, smoothing: number): ArrayLike<number> {
  if (smoothing <= 0) return line.y;
  const known = smooth.get(line);
  if (known?.weight === smoothing) return known.y;
  const y = smoothed(line.y, smoothing);
  smooth.set(line, { weight: smoothing, y });
  return y;
}

/** The value of each line at the place of the cursor, or at the nearest it has, the highest first. */
export function nearLines(lines: readonly Line[], x: number, smoothing: number): Near {
  const rows = lines.flatMap((line) => {
    const at = nearest(line.x, x);
    const value = at < 0 ? undefined : valuesOf(line, smoothing)[at];
    return value === undefined || Number.isNaN(value) ? [] : [{ id: line.id, name: line.name, colour: line.colour, value }];
  });
  return { x, rows: rows.sort((a, b) => b.value - a.value) };
}

function band(lines: readonly Line[], smoothing: number): Band {
  const known = bands.get(lines) ?? new Map<number, Band>();
  bands.set(lines, known);
  const made = known.get(smoothing) ?? bandOf(smoothing > 0 ? lines.map((line) => ({ ...line, y: valuesOf(line, smoothing), min: undefined, max: undefined })) : lines);
  known.set(smoothing, made);
  return made;
}

/** The rows of a chart that shows a band. */
export function banding(lines: readonly Line[], smoothing: number): { data: AlignedData; series: Drawn[] } {
  const { x, low, middle, high } = band(lines, smoothing);
  const row = (values: Float64Array) => Array.from(values, (value) => (Number.isFinite(value) ? value : null));
  return {
    data: [Array.from(x), row(high), row(low), row(middle)],
    series: [{ line: 0, kind: "max" }, { line: 0, kind: "min" }, { line: 0, kind: "value" }],
  };
}

/** What a band is at the place of the cursor, after the lines that are drawn over it. */
export function nearBand(lines: readonly Line[], shown: readonly Line[], x: number, smoothing: number): Near {
  const { x: places, low, middle, high } = band(lines, smoothing);
  const at = nearest(places, x);
  const told = ([["Highest", high], ["Median", middle], ["Lowest", low]] as const)
    .map(([name, values]) => ({ id: name, name: `${name} of ${lines.length}`, colour: "", value: values[at] ?? Number.NaN }));
  return { x, rows: [...nearLines(shown, x, smoothing).rows, ...told.filter(({ value }) => !Number.isNaN(value))] };
}

/** The line that lies under the cursor; null if none is near. */
export function lineAt(chart: uPlot, lines: readonly Line[], smoothing: number, left: number, top: number): string | null {
  const x = chart.posToVal(left, "x");
  let found: string | null = null;
  let closest = NEAR;
  for (const line of lines) {
    const at = nearest(line.x, x);
    const value = valuesOf(line, smoothing)[at];
    if (at < 0 || value === undefined || Number.isNaN(value)) continue;
    const far = Math.abs(chart.valToPos(value, "y") - top);
    if (far < closest) [found, closest] = [line.id, far];
  }
  return found;
}

/** Draws a line over what the chart has drawn. */
export function drawLine(chart: uPlot, line: Line, smoothing: number, thick: boolean): void {
  const { ctx, bbox } = chart;
  const values = valuesOf(line, smoothing);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.beginPath();
  let drawing = false;
  for (let at = 0; at < line.x.length; at += 1) {
    const value = values[at] ?? Number.NaN;
    if (!Number.isFinite(value)) {
      drawing = false;
      continue;
    }
    const [x, y] = [chart.valToPos(line.x[at] ?? 0, "x", true), chart.valToPos(value, "y", true)];
    if (drawing) ctx.lineTo(x, y);
    else ctx.moveTo(x, y);
    drawing = true;
  }
  ctx.strokeStyle = resolved(line.colour);
  ctx.lineWidth = (thick ? 2.25 : 1.5) * devicePixelRatio;
  ctx.setLineDash((line.dash ?? []).map((dash) => dash * devicePixelRatio));
  ctx.stroke();
  ctx.restore();
}

/** What a band shows, in a sentence. */
export function bandSummary(label: string, lines: readonly Line[]): string {
  const { middle } = band(lines, 0);
  const known = middle.filter(Number.isFinite);
  return `${label}: a band of ${counted(lines.length, "line")}, with their median${known.length ? ` from ${number(known[0])} to ${number(known[known.length - 1])}` : ""}.`;
}
