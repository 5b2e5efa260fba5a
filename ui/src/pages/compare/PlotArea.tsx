// The plot over the table: one tab a kind of plot, its columns chosen beside the tabs.
import { Suspense, useCallback, useMemo, type ComponentType } from "react";
import { IconButton } from "@/parts/Button";
import { Loading } from "@/parts/States";
import { Tabs } from "@/parts/Tabs";
import { lazily } from "@/parts/lazily";
import type { SetState, State } from "@/pages/compare/Compare";
import { chosenByDefault, type Comparison } from "@/pages/compare/data";
import { ParallelTab } from "@/pages/compare/ParallelTab";
import { toggled, type Tab } from "@/pages/compare/state";
import type { Brush } from "@/plots/brush";
import type { Dimension } from "@/plots/dimension";

interface Props {
  comparison: Comparison;
  state: State;
  set: SetState;
  kept: readonly number[];
  brush: Brush;
  onBrush: (brush: Brush, done: boolean) => void;
  reference: number;
}

/** What every kind of plot is given. */
export interface PlotProps extends Props {
  chosen: ReturnType<typeof chosenByDefault>;
  isLog: (dimension: Dimension) => boolean;
  onLog: (key: string) => void;
}

// The first plot comes with the page, the others when they are opened.
const ScatterTab = lazily(() => import("@/pages/compare/ScatterTab"));
const ContourTab = lazily(() => import("@/pages/compare/ContourTab"));
const BoxTab = lazily(() => import("@/pages/compare/BoxTab"));
const LinesTab = lazily(() => import("@/pages/compare/LinesTab"));
const ImportanceTab = lazily(() => import("@/pages/compare/ImportanceTab"));

const TABS: readonly { key: Tab; label: string; body: ComponentType<PlotProps>; table: boolean }[] = [
  { key: "parallel", label: "Parallel", body: ParallelTab, table: true },
  { key: "scatter", label: "Scatter", body: ScatterTab, table: true },
  { key: "contour", label: "Contour", body: ContourTab, table: true },
  { key: "box", label: "Box", body: BoxTab, table: true },
  // Its cards have a table of their own; the bars are one.
  { key: "lines", label: "Lines", body: LinesTab, table: false },
  { key: "importance", label: "Importance", body: ImportanceTab, table: false },
];

export const HEIGHT = 340;

export function PlotArea(props: Props) {
  const { comparison, state, set } = props;
  const chosen = useMemo(() => chosenByDefault(comparison), [comparison]);
  const isLog = useCallback((dimension: Dimension) => dimension.wide !== state.log.includes(dimension.key), [state.log]);
  const onLog = useCallback((key: string) => set({ log: toggled(state.log, key) }), [set, state.log]);
  const tab = TABS.find(({ key }) => key === state.tab) ?? TABS[0];
  if (!tab) return null;
  const Body = tab.body;
  return (
    <div className="compare-plots">
      {tab.table && <div className="compare-corner"><IconButton icon={state.table ? "chart" : "table"} label={state.table ? "View as a plot" : "View as a table"} onClick={() => set({ table: !state.table })} /></div>}
      <Tabs label="Plots" tabs={TABS} value={tab.key} onChange={(key) => set({ tab: key }, { push: true })}>
        <Suspense fallback={<div style={{ height: HEIGHT }}><Loading /></div>}><Body {...props} chosen={chosen} isLog={isLog} onLog={onLog} /></Suspense>
      </Tabs>
    </div>
  );
}
