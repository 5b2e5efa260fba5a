import { Button } from "@/parts/Button";
import type { Dimension } from "@/plots/dimension";

interface Props {
  axis: string;
  dimension: Dimension;
  isLog: (dimension: Dimension) => boolean;
  onLog: (key: string) => void;
}

/** Makes an axis logarithmic, or linear again. */
export function LogButton({ axis, dimension, isLog, onLog }: Props) {
  if (dimension.kind === "category" || (dimension.domain?.[1] ?? 0) <= 0) return null;
  return <Button className="small" pressed={isLog(dimension)} aria-label={`log scale of ${axis}`} onClick={() => onLog(dimension.key)}>log</Button>;
}
