// How numbers, times and durations are written (reference: the house's rules of figures, 8.4).

/** A number as the wire has it: what JSON cannot say comes as text. */
export type Figure = number | string;

const MOST_DIGITS = 6;
const MINUS = "−";

/** The number behind a figure of the wire; null for none. */
export function numberOf(figure: Figure | null | undefined): number | null {
  if (figure === null || figure === undefined || figure === "") return null;
  return typeof figure === "number" ? figure : Number(figure);
}

/** A number in at most `digits` significant digits, with an exponent below 1e-4 and from 1e6. */
export function number(value: Figure | null | undefined, digits: number = MOST_DIGITS): string {
  const given = numberOf(value);
  if (given === null) return "";
  if (Number.isNaN(given)) return "NaN";
  if (!Number.isFinite(given)) return given > 0 ? "∞" : `${MINUS}∞`;
  if (given === 0) return "0";
  const size = Math.abs(Number(given.toPrecision(digits)));
  const text = size < 1e-4 || size >= 1e6 ? exponent(given, digits) : plain(given, digits);
  return text.replace(/^-/, MINUS).replace(/e-/, `e${MINUS}`);
}

function plain(value: number, digits: number): string {
  if (Number.isInteger(value)) return String(value);
  const text = String(Number(value.toPrecision(digits)));
  return text.includes("e") ? exponent(value, digits) : text;
}

function exponent(value: number, digits: number): string {
  return value.toExponential(Math.max(0, digits - 1)).replace(/\.?0+e/, "e").replace("e+", "e");
}

/** Significant digits that tell neighbours of a column apart: at least 3, at most 6. */
export function digitsFor(values: Iterable<Figure | null | undefined>): number {
  const kept = [...values].map(numberOf).filter((value): value is number => value !== null && Number.isFinite(value));
  const distinct = new Set(kept).size;
  for (let digits = 3; digits < MOST_DIGITS; digits += 1) {
    if (new Set(kept.map((value) => number(value, digits))).size === distinct) return digits;
  }
  return MOST_DIGITS;
}

/** Every digit of a number, for titles and the clipboard. */
export function exact(value: Figure | null | undefined): string {
  return value === null || value === undefined ? "" : String(value);
}

/** A count with separators: 100,000. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A count with its noun: 1 run, 2,000 runs. */
export function counted(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Bytes: 512 B, 1.5 kB, 3.2 MB. */
export function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let size = value / 1000;
  let at = 0;
  while (size >= 999.5 && at < units.length - 1) {
    size /= 1000;
    at += 1;
  }
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${units[at]}`;
}

/** A duration in milliseconds: 340ms, 4.2s, 14.2m, 3.1h, and 3d 4h above a day. */
export function duration(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined || !Number.isFinite(milliseconds)) return "";
  if (milliseconds < 0) return "";
  if (milliseconds < 1000) return `${Math.round(milliseconds)}ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) return `${short(seconds)}s`;
  if (seconds < 3597) return `${short(seconds / 60)}m`;
  if (seconds < 86_220) return `${short(seconds / 3600)}h`;
  const hours = Math.round(seconds / 3600);
  const rest = hours % 24;
  return `${Math.floor(hours / 24)}d${rest ? ` ${rest}h` : ""}`;
}

function short(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}

/** How long ago a moment (milliseconds since the epoch) was: now, 5m ago, 3h ago, 2d ago, then the date. */
export function ago(moment: number | null | undefined, now: number = Date.now()): string {
  if (moment === null || moment === undefined) return "";
  const seconds = (now - moment) / 1000;
  if (seconds < -60) return absolute(moment);
  if (seconds < 5) return "now";
  if (seconds < 60) return `${Math.floor(seconds)}s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ago`;
  if (seconds < 30 * 86_400) return `${Math.floor(seconds / 86_400)}d ago`;
  return absolute(moment).slice(0, 10);
}

/** A moment in the reader's own time zone: 2026-11-21 14:35:07. */
export function absolute(moment: number | null | undefined): string {
  if (moment === null || moment === undefined) return "";
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return String(moment);
  const two = (part: number) => String(part).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} `
    + `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A moment as ISO 8601 in UTC, for the clipboard. */
export function iso(moment: number): string {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? String(moment) : date.toISOString();
}

/** A long text shortened in the middle, where names differ least. */
export function middle(text: string, most: number): string {
  if (text.length <= most) return text;
  const front = Math.ceil((most - 1) / 2);
  return `${text.slice(0, front)}…${text.slice(text.length - (most - 1 - front))}`;
}
