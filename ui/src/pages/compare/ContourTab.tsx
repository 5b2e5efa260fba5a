import { useCallback, useMemo } from "react";
import { path, useGo } from "@/frame/router";
import { LogButton } from "@/pages/compare/LogButton";
import { HEIGHT, type PlotProps } from "@/pages/compare/PlotArea";
import { Empty } from "@/parts/States";
import { Contour } from "@/plots/Contour";
import { KeyPicker } from "@/plots/KeyPicker";
import { Legend } from "@/plots/Legend";
import { PlotTable } from "@/plots/PlotTable";
import { valueText, type NamedRun } from "@/plots/RunTip";

export default function ContourTab({ comparison, state, set, kept, chosen, isLog, onLog }: PlotProps) {
  const go = useGo();
  const { keys } = comparison;
  const [first = "", second = ""] = [...chosen.numbers, ...chosen.categories, ...chosen.metrics.slice(1)];
  const xKey = state.x || first;
  const yKey = state.y && state.y !== xKey && !state.y.startsWith("metrics.") ? state.y : [first, second].find((key) => key !== xKey) ?? "";
  const zKey = state.z || chosen.metrics[0] || "";
  const shown = useMemo(() => [xKey, yKey, zKey].map((key) => comparison.dimension(key)), [comparison, xKey, yKey, zKey]);
  const onOpen = useCallback((run: NamedRun) => go(path`/run/${run.id}`), [go]);
  const [x, y, z] = shown;
  if (!x || !y || !z) return null;
  return (
    <>
      <div className="plot-tools">
        <KeyPicker label="X" keys={keys} chosen={xKey ? [xKey] : []} onChange={([key]) => set({ x: key ?? "" })} /><LogButton axis="X" dimension={x} isLog={isLog} onLog={onLog} />
        <KeyPicker label="Y" keys={keys} chosen={yKey ? [yKey] : []} onChange={([key]) => set({ y: key ?? "" })} /><LogButton axis="Y" dimension={y} isLog={isLog} onLog={onLog} />
        <KeyPicker label="Value" keys={keys} chosen={zKey ? [zKey] : []} onChange={([key]) => set({ z: key ?? "" })} /><LogButton axis="the value" dimension={z} isLog={isLog} onLog={onLog} />
        <Legend dimension={z} log={isLog(z)} />
      </div>
      {!x.domain || !y.domain || !z.domain || z.kind === "category" ? <div className="plot-empty"><Empty title="No run has all three. Choose columns for X and Y, and a number for the value." /></div>
        : state.table ? <div className="plot-as-table" style={{ height: HEIGHT }}><PlotTable label="Points" head={["Run", ...shown.map(({ title }) => title)]} rows={kept.map((run) => [comparison.runs[run]?.name ?? "", ...shown.map((dimension) => valueText(dimension, run))])} /></div>
          : <div className="plot-room"><Contour x={x} y={y} z={z} runs={comparison.runs} kept={kept} isLog={isLog} onOpen={onOpen} height={HEIGHT - 20} /></div>}
    </>
  );
}
