// A run that changes while it is looked at.
import { useEffect, useRef } from "react";
import { useEvents } from "@/api/events";
import { queryClient, refresh } from "@/api/queries";
import { GetRun, QueryRuns } from "@/api/schema";
import { ARTIFACTS_KEY, placeOfRun } from "@/artifacts/place";
import { CURVES_KEY } from "@/charts/curves";

const AT_MOST_EACH_MS = 1500;

/** Reads a run, its curves and the names of its files again when they change, not more often than the eye follows. */
export function useLiveRun(runId: string, experimentId: string | undefined): void {
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEvents(experimentId === undefined ? null : { experimentIds: [experimentId] }, (changes) => {
    if (!changes.reset && !changes.changes?.some((change) => change.id === runId)) return;
    if (timer.current) return;
    timer.current = window.setTimeout(() => {
      timer.current = 0;
      void Promise.all([
        refresh(GetRun, QueryRuns), queryClient.invalidateQueries({ queryKey: [CURVES_KEY] }),
        queryClient.invalidateQueries({ queryKey: [ARTIFACTS_KEY, placeOfRun(runId).base, "folder"] }),
      ]);
    }, AT_MOST_EACH_MS);
  });
}
