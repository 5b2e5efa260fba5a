// What is pinned in an experiment, for everybody who looks at it: metrics, runs, colours of runs.
import { useMemo } from "react";
import { call } from "@/api/client";
import { refresh, useOperation } from "@/api/queries";
import { GetArrangement, SetArrangement } from "@/api/schema";
import { IconButton } from "@/parts/Button";
import { toast, toastError } from "@/parts/Toast";

export interface Arranged {
  /** Whether it is known, or will not be. */
  settled: boolean;
  metrics: readonly string[];
  runs: readonly string[];
  /** The number of its colour, of each run that somebody gave one. */
  colours: ReadonlyMap<string, number>;
  pinMetric: (key: string) => void;
  pinRun: (id: string, name: string) => void;
  /** Gives a run a colour; null for the one that it has by its place. */
  setColour: (id: string, colour: number | null) => void;
}

interface Change {
  metrics?: { key: string; goal?: string }[];
  runs?: string[];
  colours?: { run_id: string; colour: number }[];
}

function arrange(experimentId: string, change: Change): Promise<void> {
  return call(SetArrangement, { experiment_id: experimentId, ...change }).then(() => refresh(GetArrangement));
}

/** What is pinned in an experiment, and how to change it; each change can be taken back. It is read once `ready`. */
export function useArrangement(experimentId: string, ready: boolean = true): Arranged {
  const query = useOperation(GetArrangement, ready ? { experiment_id: experimentId } : null, { staleTime: 30_000 });
  const { data } = query;
  return useMemo(() => {
    const metrics = data?.metrics ?? [];
    const runs = data?.runs ?? [];
    const colours = data?.colours ?? [];
    const set = (change: Change) => arrange(experimentId, change);
    return {
      settled: data !== undefined || query.error !== null,
      metrics: metrics.map((metric) => metric.key), runs, colours: new Map(colours.map(({ run_id, colour }) => [run_id, colour])),
      pinMetric: (key) => {
        const there = metrics.some((metric) => metric.key === key);
        set({ metrics: there ? metrics.filter((metric) => metric.key !== key) : [...metrics, { key }] })
          .then(() => toast(there ? `Unpinned ${key}` : `Pinned ${key} for the experiment`, { undo: () => set({ metrics }) }), toastError);
      },
      pinRun: (id, name) => {
        const there = runs.includes(id);
        set({ runs: there ? runs.filter((other) => other !== id) : [...runs, id] })
          .then(() => toast(there ? `Unpinned ${name}` : `Pinned ${name}: it stays first`, { undo: () => set({ runs }) }), toastError);
      },
      setColour: (id, colour) => {
        const others = colours.filter((one) => one.run_id !== id);
        set({ colours: colour === null ? others : [...others, { run_id: id, colour }] }).catch(toastError);
      },
    };
  }, [data, query.error, experimentId]);
}

export function PinButton({ metric, pinned, onPin }: { metric: string; pinned: readonly string[]; onPin: (key: string) => void }) {
  const there = pinned.includes(metric);
  return <IconButton icon="pin" className="pin" pressed={there} label={there ? `Unpin ${metric}` : `Pin ${metric}`} onClick={() => onPin(metric)} />;
}
