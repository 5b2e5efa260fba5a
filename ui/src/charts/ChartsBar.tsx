import type { ReactNode } from "react";
import type { Axis } from "@/charts/curves";
import { Button } from "@/parts/Button";
import { Switch } from "@/parts/Tabs";

export interface ChartsState {
  find: string;
  x: Axis;
  smooth: number;
  log: boolean;
}

interface Props {
  state: ChartsState;
  onChange: (change: Partial<ChartsState>) => void;
  /** Whether the search is no regular expression. */
  problem: boolean;
  zoom: readonly [number, number] | null;
  onZoom: (zoom: readonly [number, number] | null) => void;
  children?: ReactNode;
}

/** How all charts of a page are drawn: which metrics, the axis, smoothing, scale, zoom. */
export function ChartsBar({ state, onChange, problem, zoom, onZoom, children }: Props) {
  return (
    <div className="charts-bar">
      <input
        className={`input charts-search${problem ? " wrong" : ""}`} aria-label="Search charts" placeholder="Search charts by a pattern" value={state.find} spellCheck={false}
        aria-invalid={problem ? true : undefined} onChange={(event) => onChange({ find: event.target.value })}
      />
      <Switch label="Axis" options={[["step", "Step"], ["time", "Time"], ["relative", "Relative"]]} value={state.x} onChange={(x) => {
        onZoom(null);
        onChange({ x });
      }} />
      <label className="line"><span className="soft">Smooth</span><input type="range" min="0" max="0.99" step="0.01" value={state.smooth} aria-label="Smoothing" onChange={(event) => onChange({ smooth: Number(event.target.value) })} /><span className="figure charts-smooth">{state.smooth || "off"}</span></label>
      <Button pressed={state.log} onClick={() => onChange({ log: !state.log })}>Log</Button>
      {zoom && <Button icon="restore" onClick={() => onZoom(null)}>All steps</Button>}
      {children}
    </div>
  );
}
