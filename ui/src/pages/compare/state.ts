// What the address of the comparison holds.
import { choice, flag, list, numeric, text } from "@/base/url";

export const TABS = ["parallel", "scatter", "contour", "box", "lines", "importance"] as const;
export type Tab = (typeof TABS)[number];

export const STATE = {
  /** The runs; none: all of the experiments. */
  sel: list(),
  exp: list(),
  q: text(),
  tab: choice(TABS),
  /** The run that the others are compared with. */
  ref: text(),
  axes: list(),
  /** Columns whose axis is not as it would be by itself: linear in place of logarithmic or the other way round. */
  log: list(),
  flip: list(),
  brush: list(),
  x: text(),
  y: text(),
  z: text(),
  colour: text(),
  /** The category of the boxes. */
  by: text(),
  trend: flag(true),
  metrics: list(),
  axis: choice(["step", "time", "relative"]),
  smooth: numeric(0),
  /** The plot as a table. */
  table: flag(),
  sort: text(),
  /** Columns in which all runs agree, too. */
  all: flag(),
  /** Runs as columns. */
  turned: flag(),
};

const ATTRIBUTES: Record<string, string> = {
  "attributes.duration": "Duration (ms)", "attributes.status": "Status", "attributes.start_time": "Started", "attributes.experiment_id": "Experiment",
};

/** A column as axes and headers name it. */
export function titleOf(column: string): string {
  return ATTRIBUTES[column] ?? column.slice(column.indexOf(".") + 1);
}

export function toggled(items: readonly string[], item: string): string[] {
  return items.includes(item) ? items.filter((other) => other !== item) : [...items, item];
}
