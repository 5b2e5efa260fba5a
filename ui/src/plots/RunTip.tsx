import { number } from "@/base/format";
import type { Dimension } from "@/plots/dimension";

export interface NamedRun {
  id: string;
  name: string;
}

interface Props {
  run: NamedRun;
  /** The place of the run in the dimensions. */
  at: number;
  x: number;
  y: number;
  width: number;
  dimensions: readonly Dimension[];
}

const MOST = 12;

/** The run under the pointer, with its values. */
export function RunTip({ run, at, x, y, width, dimensions }: Props) {
  return (
    <div className="plot-tip" style={{ top: Math.max(0, y - 8), ...(x > width / 2 ? { right: width - x + 14 } : { left: x + 14 }) }}>
      <p><strong>{run.name}</strong></p>
      {dimensions.slice(0, MOST).map((dimension) => (
        <p key={dimension.key} className="line"><span className="soft grow cut">{dimension.title}</span><span className="figure">{valueText(dimension, at)}</span></p>
      ))}
    </div>
  );
}

/** The value of a run as text; a dash where it has no place. */
export function valueText(dimension: Dimension, run: number): string {
  const value = dimension.values[run] ?? NaN;
  if (Number.isNaN(value)) return "–";
  return dimension.kind === "category" ? dimension.categories[value] ?? "" : number(value);
}
