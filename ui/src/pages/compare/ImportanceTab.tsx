import { useMemo } from "react";
import { HEIGHT, type PlotProps } from "@/pages/compare/PlotArea";
import { Empty } from "@/parts/States";
import { ImportanceBars } from "@/plots/ImportanceBars";
import { KeyPicker } from "@/plots/KeyPicker";
import { importance } from "@/plots/ranks";

const MOST_CATEGORIES = 60;

/** Which parameters go with a metric, by ranks: a hint where to look, no proof of a cause. */
export default function ImportanceTab({ comparison, state, set, kept, chosen }: PlotProps) {
  const targetKey = state.y || chosen.metrics[0] || "";
  const target = useMemo(() => comparison.dimension(targetKey), [comparison, targetKey]);
  const found = useMemo(() => {
    const params = comparison.varying.filter((column) => column.startsWith("params.")).map((column) => comparison.dimension(column));
    return importance(target, params.filter((dimension) => dimension.categories.length <= MOST_CATEGORIES), kept);
  }, [comparison, target, kept]);
  return (
    <>
      <div className="plot-tools">
        <KeyPicker label="Metric" keys={comparison.keys} chosen={targetKey ? [targetKey] : []} onChange={([key]) => set({ y: key ?? "" })} />
        <span className="soft">How closely the metric follows each parameter. A hint where to look, not a cause.</span>
      </div>
      {found.length === 0 || target.kind === "category" ? <div className="plot-empty"><Empty title="It cannot be told: at least three runs with the metric are needed, and a parameter in which they differ." /></div>
        : <div className="plot-bars scroll" style={{ height: HEIGHT }} tabIndex={0} role="region" aria-label="Importance"><ImportanceBars target={target.title} found={found} onPick={(key) => set({ tab: "scatter", x: key, y: targetKey }, { push: true })} /></div>}
    </>
  );
}
