// What the address of the runs page holds, and the names of its columns.
import { choice, flag, list, numeric, text } from "@/base/url";
import { quotedKey, quotedValue } from "@/parts/filter";

export const STATE = {
  q: text(),
  /** A column, with a minus for downwards. */
  sort: text("-attributes.start_time"),
  /** Columns in their order; none: those that the page chooses. */
  cols: list(),
  view: choice(["table", "charts", "split"]),
  stage: choice(["active", "deleted"]),
  group: list(),
  tree: flag(),
  varying: flag(),
  sel: list(),
  x: choice(["step", "time", "relative"]),
  log: flag(),
  smooth: numeric(0),
  find: text(),
};

export type Kind = "attributes" | "metrics" | "params" | "tags";
export type Variant = "last" | "min" | "max" | "first" | "best_step" | "mean";

export interface ColumnName {
  kind: Kind;
  key: string;
  variant: Variant;
  /** The second argument of the function, as in best_step(metrics.loss, min). */
  argument: string;
}

const CALL = /^(min|max|first|last|best_step|mean)\((.*?)(?:, (min|max|\d+))?\)$/s;

/** The parts of a column as the server names it: params.lr, metrics.loss, min(metrics.loss). */
export function parseColumn(column: string): ColumnName {
  const call = CALL.exec(column);
  const plain = call?.[2] ?? column;
  const dot = plain.indexOf(".");
  return { kind: plain.slice(0, dot) as Kind, key: plain.slice(dot + 1), variant: (call?.[1] as Variant | undefined) ?? "last", argument: call?.[3] ?? "" };
}

export function columnText({ kind, key, variant, argument }: ColumnName): string {
  return variant === "last" ? `${kind}.${key}` : `${variant}(${kind}.${key}${argument ? `, ${argument}` : ""})`;
}

/** A column without its function: what the runs of a group have, of the column of the group. */
export function plainOf(column: string): string {
  const { kind, key } = parseColumn(column);
  return `${kind}.${key}`;
}

const ATTRIBUTES: Record<string, string> = {
  run_name: "Run", status: "Status", start_time: "Started", end_time: "Ended", duration: "Duration", user_id: "User", run_id: "Run id",
  datasets: "Datasets", models: "Models", artifact_uri: "Artifacts", experiment_id: "Experiment", lifecycle_stage: "Stage",
};
export const ATTRIBUTE_KEYS = Object.keys(ATTRIBUTES).filter((key) => key !== "run_name" && key !== "lifecycle_stage");
const SORTABLE = new Set(["run_name", "status", "start_time", "end_time", "user_id", "run_id"]);

/** A column as its header has it. */
export function titleOf(column: string): string {
  const { kind, key, variant, argument } = parseColumn(column);
  const name = kind === "attributes" ? ATTRIBUTES[key] ?? key : key;
  return variant === "last" ? name : `${variant.replace("_", " ")}${argument ? ` ${argument}` : ""} ${name}`;
}

/** Whether the server can order by a column; groups are ordered by what they agree in, and by means of metrics. */
export function isSortable(column: string, grouped: readonly string[] = []): boolean {
  const { kind, key, variant, argument } = parseColumn(column);
  if (grouped.length > 0) return grouped.includes(column) || (variant === "mean" && argument === "");
  return kind === "attributes" ? SORTABLE.has(key) : variant !== "mean";
}

const SUMMED_UP = new Set(["status", "start_time", "end_time", "duration", "user_id"]);

/** Whether the server can tell how the values of a column are spread. */
export function isSpread(column: string): boolean {
  const { kind, key, variant } = parseColumn(column);
  return kind === "attributes" ? SUMMED_UP.has(key) : variant !== "mean";
}

/** A column as a filter and an order name it: keys are quoted where they must be. */
export function fieldOf(column: string): string {
  const { kind, key, variant, argument } = parseColumn(column);
  const field = kind === "attributes" ? key : `${kind}.${quotedKey(key)}`;
  return variant === "last" ? field : `${variant}(${field}${argument ? `, ${argument}` : ""})`;
}

/** The order of the state as the server reads it; none for what cannot be sorted by. */
export function orderOf(sort: string, grouped: readonly string[] = []): string[] {
  const column = sort.replace(/^-/, "");
  if (!column || !isSortable(column, grouped)) return [];
  const { kind, key, variant } = parseColumn(column);
  const field = variant === "mean" ? fieldOf(`${kind}.${key}`) : fieldOf(column);
  return [`${field} ${sort.startsWith("-") ? "DESC" : "ASC"}`];
}

export type Cell = string | number | null | readonly string[];

/** The condition that a cell's value is this, or, turned around, that it is not. */
export function conditionOf(column: string, value: Cell, not = false): string {
  const field = fieldOf(column);
  if (value === null || value === "NaN") return `${field} IS ${not ? "NOT " : ""}NULL`;
  const plain = Array.isArray(value) ? String(value[0] ?? "") : value as string | number;
  const { kind, key } = parseColumn(column);
  const isNumber = kind === "metrics" || key === "start_time" || key === "end_time";
  return `${field} ${not ? "!=" : "="} ${isNumber ? String(plain) : quotedValue(String(plain))}`;
}

/** The columns of the server's kinds: metric, param, tag. */
export function kindOf(kind: string): Kind {
  return `${kind}s` as Kind;
}
