import { middle, number } from "@/base/format";
import { useDark } from "@/base/preferences";
import { HUES } from "@/charts/colours";
import { ramp } from "@/plots/colour";
import type { Dimension } from "@/plots/dimension";
import "@/charts/charts.css";

const MOST = 10;
const STOPS = [0, 0.25, 0.5, 0.75, 1];

/** What the colours of runs mean. */
export function Legend({ dimension, log }: { dimension: Dimension | null; log: boolean }) {
  const dark = useDark();
  if (!dimension?.domain) return null;
  if (dimension.kind === "category") {
    return (
      <span className="legend">
        {dimension.categories.slice(0, MOST).map((category, at) => (
          <span key={category} className="legend-item"><span className="swatch" style={{ background: `var(--run-${at % HUES})` }} /><span className="cut" data-tip={category}>{middle(category, 16)}</span></span>
        ))}
        {dimension.categories.length > MOST && <span>and {dimension.categories.length - MOST} more, whose colours repeat</span>}
      </span>
    );
  }
  const [low, high] = dimension.domain;
  return (
    <span className="legend figure">
      <span>{number(low, 4)}</span><span className="legend-ramp" style={{ background: `linear-gradient(90deg, ${STOPS.map((share) => ramp(share, dark)).join(", ")})` }} /><span>{number(high, 4)}{log ? ", logarithmic" : ""}</span>
    </span>
  );
}
