import { useCallback, useMemo } from "react";
import { path, useGo } from "@/frame/router";
import { HEIGHT, type PlotProps } from "@/pages/compare/PlotArea";
import { Button } from "@/parts/Button";
import { Empty } from "@/parts/States";
import { KeyPicker } from "@/plots/KeyPicker";
import { Legend } from "@/plots/Legend";
import { PlotTable } from "@/plots/PlotTable";
import { valueText, type NamedRun } from "@/plots/RunTip";
import { Scatter } from "@/plots/Scatter";
import { LogButton } from "@/pages/compare/LogButton";

export default function ScatterTab({ comparison, state, set, kept, reference, chosen, isLog, onLog }: PlotProps) {
  const go = useGo();
  const { keys } = comparison;
  const xKey = state.x || chosen.params[0] || chosen.metrics[1] || "";
  const yKey = state.y || chosen.metrics[0] || "";
  const [x, y, colour] = useMemo(() => [comparison.dimension(xKey), comparison.dimension(yKey), state.colour ? comparison.dimension(state.colour) : null], [comparison, xKey, yKey, state.colour]);
  const onOpen = useCallback((run: NamedRun) => go(path`/run/${run.id}`), [go]);
  const shown = [x, y, ...(colour ? [colour] : [])];
  return (
    <>
      <div className="plot-tools">
        <KeyPicker label="X" keys={keys} chosen={xKey ? [xKey] : []} onChange={([key]) => set({ x: key ?? "" })} /><LogButton axis="X" dimension={x} isLog={isLog} onLog={onLog} />
        <KeyPicker label="Y" keys={keys} chosen={yKey ? [yKey] : []} onChange={([key]) => set({ y: key ?? "" })} /><LogButton axis="Y" dimension={y} isLog={isLog} onLog={onLog} />
        <KeyPicker label="Colour" keys={keys} chosen={state.colour ? [state.colour] : []} none="one colour" onChange={([key]) => set({ colour: key ?? "" })} />
        <Button pressed={state.trend} onClick={() => set({ trend: !state.trend })}>Trend</Button>
        <Legend dimension={colour} log={colour !== null && isLog(colour)} />
      </div>
      {!x.domain || !y.domain ? <div className="plot-empty"><Empty title="No run has a value on both axes. Choose other columns for X and Y." /></div>
        : state.table ? <div className="plot-as-table" style={{ height: HEIGHT }}><PlotTable label="Points" head={["Run", ...shown.map(({ title }) => title)]} rows={kept.map((run) => [comparison.runs[run]?.name ?? "", ...shown.map((dimension) => valueText(dimension, run))])} /></div>
          : <div className="plot-room"><Scatter x={x} y={y} colour={colour} runs={comparison.runs} kept={kept} isLog={isLog} trend={state.trend} reference={state.ref ? reference : -1} onOpen={onOpen} height={HEIGHT - 20} /></div>}
    </>
  );
}
