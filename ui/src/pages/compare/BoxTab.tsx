import { useCallback, useMemo } from "react";
import { counted, number } from "@/base/format";
import { path, useGo } from "@/frame/router";
import { LogButton } from "@/pages/compare/LogButton";
import { HEIGHT, type PlotProps } from "@/pages/compare/PlotArea";
import { Empty } from "@/parts/States";
import { BoxPlot, boxesBy } from "@/plots/BoxPlot";
import { KeyPicker } from "@/plots/KeyPicker";
import { PlotTable } from "@/plots/PlotTable";
import type { NamedRun } from "@/plots/RunTip";

const MOST = 60;

export default function BoxTab({ comparison, state, set, kept, chosen, isLog, onLog }: PlotProps) {
  const go = useGo();
  const byKey = state.by || chosen.categories[0] || chosen.params[0] || "attributes.status";
  const yKey = state.y || chosen.metrics[0] || "";
  const [by, y] = useMemo(() => [comparison.dimension(byKey), comparison.dimension(yKey)], [comparison, byKey, yKey]);
  const all = useMemo(() => boxesBy(by, y, kept), [by, y, kept]);
  const boxes = useMemo(() => all.slice(0, MOST), [all]);
  const onOpen = useCallback((run: NamedRun) => go(path`/run/${run.id}`), [go]);
  return (
    <>
      <div className="plot-tools">
        <KeyPicker label="By" keys={comparison.keys} chosen={[byKey]} onChange={([key]) => set({ by: key ?? "" })} />
        <KeyPicker label="Y" keys={comparison.keys} chosen={yKey ? [yKey] : []} onChange={([key]) => set({ y: key ?? "" })} /><LogButton axis="Y" dimension={y} isLog={isLog} onLog={onLog} />
        {all.length > MOST && <span className="soft">The first {MOST} of {counted(all.length, "category", "categories")}</span>}
      </div>
      {boxes.length === 0 || y.kind === "category" ? <div className="plot-empty"><Empty title="No run has both. Choose what to part the runs by, and a number for Y." /></div>
        : state.table ? <div className="plot-as-table" style={{ height: HEIGHT }}><PlotTable label="Boxes" head={[by.title, "Runs", "Low", "25 %", "Median", "75 %", "High", "Beyond"]} rows={all.map((box) => [box.name, String(box.runs.length), ...[box.low, box.first, box.median, box.third, box.high].map((value) => number(value)), String(box.apart.length)])} /></div>
          : <div className="plot-room"><BoxPlot by={by} y={y} boxes={boxes} runs={comparison.runs} isLog={isLog} onOpen={onOpen} height={HEIGHT - 20} /></div>}
    </>
  );
}
