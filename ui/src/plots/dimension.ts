// A column of runs as plots need it: a number for each run, or a category; what is neither has no place.
import { numberOf } from "@/base/format";

export type Cell = string | number | null | undefined | readonly string[];

export interface Dimension {
  /** The column: params.lr, metrics.loss. */
  key: string;
  title: string;
  kind: "number" | "category";
  /** A number for each run, or the place of its category; NaN for a run without one. */
  values: Float64Array;
  categories: readonly string[];
  /** The lowest and the highest finite value; null where there is none. */
  domain: readonly [number, number] | null;
  /** Whether a logarithmic axis suits: all values above zero, the high ones at least a hundred times the low ones. */
  wide: boolean;
  /** How many runs have no place: they lack it, or have what is no finite number. */
  without: number;
}

const MOSTLY = 0.8;
const WIDE = 100;
const TAIL = 0.05;

/** The number a cell has; a parameter is a text that may be one. */
export function numberIn(cell: Cell): number | null {
  if (typeof cell === "number") return cell;
  if (typeof cell !== "string" || cell.trim() === "") return null;
  const number = numberOf(cell);
  return number === null || (Number.isNaN(number) && cell.toLowerCase() !== "nan") ? null : number;
}

/** A column of cells. It is of numbers where four in five of its values are; the others then have no place. */
export function dimensionOf(key: string, title: string, cells: readonly Cell[]): Dimension {
  const filled = cells.filter((cell) => cell !== null && cell !== undefined && cell !== "");
  const numbers = cells.map(numberIn);
  const isNumber = filled.length === 0 || numbers.filter((value) => value !== null).length >= MOSTLY * filled.length;
  return isNumber ? ofNumbers(key, title, numbers) : ofCategories(key, title, cells);
}

function ofNumbers(key: string, title: string, numbers: readonly (number | null)[]): Dimension {
  const values = Float64Array.from(numbers, (value) => (value !== null && Number.isFinite(value) ? value : NaN));
  let [low, high, without] = [Infinity, -Infinity, 0];
  for (const value of values) {
    if (Number.isNaN(value)) without += 1;
    else {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  const domain = low <= high ? [low, high] as const : null;
  return { key, title, kind: "number", values, categories: [], domain, wide: low > 0 && domain !== null && isWide(values), without };
}

/** Whether the middle nine tenths of the values, all above zero, span so much; one tiny value among many does not. */
function isWide(values: Float64Array): boolean {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const last = sorted.length - 1;
  return (sorted[Math.ceil(last * (1 - TAIL))] ?? 0) >= WIDE * (sorted[Math.floor(last * TAIL)] ?? 0);
}

function ofCategories(key: string, title: string, cells: readonly Cell[]): Dimension {
  const texts = cells.map((cell) => (cell === null || cell === undefined || cell === "" ? null : String(cell)));
  const categories = [...new Set(texts.filter((text) => text !== null))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const placeOf = new Map(categories.map((category, at) => [category, at]));
  const values = Float64Array.from(texts, (text) => (text === null ? NaN : placeOf.get(text) ?? NaN));
  return {
    key, title, kind: "category", values, categories, domain: categories.length > 0 ? [0, categories.length - 1] : null, wide: false,
    without: texts.filter((text) => text === null).length,
  };
}

/** Whether runs differ in it: in value, or in having one. */
export function varies(cells: readonly Cell[]): boolean {
  const [first] = cells;
  const text = String(first ?? "");
  return cells.some((cell) => String(cell ?? "") !== text);
}
