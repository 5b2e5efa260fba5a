import { useCallback, useMemo } from "react";
import { path, useGo } from "@/frame/router";
import { HEIGHT, type PlotProps } from "@/pages/compare/PlotArea";
import { toggled } from "@/pages/compare/state";
import { Empty } from "@/parts/States";
import { KeyPicker } from "@/plots/KeyPicker";
import { Legend } from "@/plots/Legend";
import { Parallel } from "@/plots/Parallel";
import { PlotTable } from "@/plots/PlotTable";
import { valueText, type NamedRun } from "@/plots/RunTip";

export function ParallelTab({ comparison, state, set, kept, brush, onBrush, reference, chosen, isLog, onLog }: PlotProps) {
  const go = useGo();
  const axes = useMemo(() => (state.axes.length > 0 ? state.axes : [...chosen.params, ...chosen.metrics]), [state.axes, chosen]);
  const dimensions = useMemo(() => axes.map((key) => comparison.dimension(key)), [axes, comparison]);
  const colourKey = state.colour || chosen.metrics[0] || "";
  const colour = useMemo(() => (colourKey ? comparison.dimension(colourKey) : null), [colourKey, comparison]);
  const flipped = useMemo(() => new Set(state.flip), [state.flip]);
  const onAxes = useCallback((keys: readonly string[]) => set({ axes: keys }, { push: true }), [set]);
  const onFlip = useCallback((key: string) => set({ flip: toggled(state.flip, key) }), [set, state.flip]);
  const onOpen = useCallback((run: NamedRun) => go(path`/run/${run.id}`), [go]);
  return (
    <>
      <div className="plot-tools">
        <KeyPicker label="Axes" keys={comparison.keys} chosen={axes} several onChange={onAxes} />
        <KeyPicker label="Colour" keys={comparison.keys} chosen={colourKey ? [colourKey] : []} onChange={([key]) => set({ colour: key ?? "" })} />
        <Legend dimension={colour} log={colour !== null && isLog(colour)} />
        <span className="grow" />
        <span className="soft">Drag along an axis to limit it; drag its name to move it</span>
      </div>
      {dimensions.length === 0 ? <div className="plot-empty"><Empty title="No parameter or metric of these runs varies. Choose axes to show." /></div>
        : state.table ? <div className="plot-as-table" style={{ height: HEIGHT }}><PlotTable label="Values on the axes" head={["Run", ...dimensions.map(({ title }) => title)]} rows={kept.map((run) => [comparison.runs[run]?.name ?? "", ...dimensions.map((dimension) => valueText(dimension, run))])} /></div>
          : <div className="plot-room"><Parallel
            dimensions={dimensions} runs={comparison.runs} kept={kept} colour={colour} brush={brush} onBrush={onBrush} isLog={isLog} flipped={flipped} onLog={onLog} onFlip={onFlip} onAxes={onAxes}
            reference={state.ref ? reference : -1} onOpen={onOpen} height={HEIGHT - 24}
          /></div>}
    </>
  );
}
