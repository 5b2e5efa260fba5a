// Lines over one axis, drawn by uPlot: buckets with a lowest and highest value keep every spike.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import { counted, number } from "@/base/format";
import { useDark } from "@/base/preferences";
import { MOST_LINES } from "@/charts/band";
import { faint, resolved } from "@/charts/colours";
import { banding, bandSummary, drawLine, lineAt, nearBand, nearLines } from "@/charts/near";
import { aligned, summary } from "@/charts/series";
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
  /** Of so many lines that they are a band: those that are drawn all the same. */
  lined?: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();
const NO_LINES: readonly Line[] = [];
const NAMES = 8;
const DAY_SECONDS = 86_400;
// What a time with seconds needs, in pixels.
const TIME_WIDTH = 72;
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
// How much of its colour a line keeps beside one that stands out.
const APART = 0.45;

export function LineChart({ label, lines, height = 180, log = false, smoothing = 0, axis = "step", zoom = null, onZoom, sync, highlighted = null, lined = NONE }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const dark = useDark();
  const [width, setWidth] = useState(0);
  const [at, setAt] = useState<{ left: number; x: number } | null>(null);
  const zoomed = useRef(onZoom);
  useEffect(() => {
    zoomed.current = onZoom;
  });
  const banded = lines.length > MOST_LINES;
  const [kept, setKept] = useState<ReadonlySet<string>>(NONE);
  const [hovered, setHovered] = useState<string | null>(null);
  const chart = useRef<uPlot>(null);
  const shown = useMemo(() => {
    const chosen = new Set([...lined, ...kept, ...[highlighted, hovered].filter((one) => one !== null)]);
    return banded ? lines.filter((line) => chosen.has(line.id)) : NO_LINES;
  }, [lines, banded, lined, kept, highlighted, hovered]);
  // Drawn over the band without making the chart anew.
  const over = useRef({ shown, smoothing, hovered });
  useLayoutEffect(() => {
    over.current = { shown, smoothing, hovered };
    chart.current?.redraw(false);
  }, [shown, smoothing, hovered]);
  // A band is one for every line that stands out.
  const standing = banded ? null : highlighted;
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
    const { data, series } = banded ? banding(lines, smoothing) : aligned(lines, smoothing);
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
        if (banded) return { scale: "y", points: { show: false }, stroke: kind === "value" ? css("--fg-1") : faint(css("--accent"), 0.5), width: kind === "value" ? 1.75 : 1 };
        const owner = lines[line];
        const colour = resolved(owner?.colour ?? "var(--run-0)");
        const apart = standing !== null && owner?.id !== standing;
        return {
          scale: "y", spanGaps: true, points: { show: kind === "value" && (axis === "version" || (owner?.x.length ?? 0) === 1), size: 5, fill: colour },
          stroke: kind === "value" ? faint(colour, apart ? APART : 1) : kind === "raw" ? faint(colour, 0.25) : faint(colour, apart ? 0.1 : 0.5),
          width: owner?.id === standing ? 2.25 : 1.25, dash: kind === "value" ? [...(owner?.dash ?? [])] : [],
        };
      })],
      bands: series.flatMap(({ line, kind }, index) => (kind === "max" ? [{ series: [index + 1, index + 2] as [number, number], fill: faint(banded ? css("--accent") : resolved(lines[line]?.colour ?? ""), 0.22) }] : [])),
      hooks: {
        draw: [(chart) => {
          for (const line of over.current.shown) drawLine(chart, line, over.current.smoothing, line.id === over.current.hovered);
        }],
        setCursor: [(chart) => {
          const { left = -1, top = -1, idx } = chart.cursor;
          const x = idx === null || idx === undefined ? undefined : chart.data[0][idx];
          setAt(left < 0 || x === undefined ? null : { left, x });
          if (banded) setHovered(left < 0 || top < 0 ? null : lineAt(chart, lines, over.current.smoothing, left, top));
        }],
        setSelect: [(chart) => {
          if (chart.select.width < 4) return;
          zoomed.current?.([chart.posToVal(chart.select.left, "x"), chart.posToVal(chart.select.left + chart.select.width, "x")]);
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
      },
    }, data, element);
    chart.current = made;
    made.over.addEventListener("dblclick", () => zoomed.current?.(null));
    made.over.addEventListener("click", () => {
      const { hovered: line } = over.current;
      if (banded && line !== null) setKept((before) => new Set(before.has(line) ? [...before].filter((one) => one !== line) : [...before, line]));
    });
    return () => {
      chart.current = null;
      made.destroy();
    };
  }, [lines, width, height, log, smoothing, axis, from, to, sync, standing, dark, banded]);
  const near = at ? (banded ? nearBand(lines, shown, at.x, smoothing) : nearLines(lines, at.x, smoothing)) : null;
  return (
    <figure className="chart" role="group" aria-label={label}>
      <div ref={place} className="chart-place" aria-hidden="true" style={{ height }} />
      <figcaption className="unseen">{banded ? bandSummary(label, lines) : summary(label, lines)}</figcaption>
      {near && at && near.rows.length > 0 && (
        <div className="chart-tip" style={at.left > width / 2 ? { right: width - at.left } : { left: at.left + 60 }}>
          <p className="soft">{axisText(axis, near.x)}</p>
          {near.rows.slice(0, NAMES).map((row) => (
            <p key={row.id} className="line">{row.colour && <span className="swatch" style={{ background: row.colour }} />}<span className="figure">{number(row.value)}</span><span className="grow">{row.name}</span></p>
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
