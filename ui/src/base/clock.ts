// One clock for the page: whatever is told relative to now is told anew at the same moments.
import { useSyncExternalStore } from "react";

const STEP_MS = 5000;

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let moment = Date.now();

function tick(): void {
  moment = Date.now();
  for (const listener of listeners) listener();
}

function run(): void {
  const wanted = listeners.size > 0 && (typeof document === "undefined" || !document.hidden);
  if (wanted && timer === undefined) {
    moment = Date.now();
    timer = setInterval(tick, STEP_MS);
  } else if (!wanted && timer !== undefined) {
    clearInterval(timer);
    timer = undefined;
  }
}

/** Now, as the page tells it: the same for everything between two ticks. Milliseconds since the epoch. */
export function pageNow(): number {
  if (timer === undefined) moment = Date.now();
  return moment;
}

/** Calls `listener` at each tick, while the page is seen. The answer ends it. */
export function follow(listener: () => void): () => void {
  listeners.add(listener);
  run();
  return () => {
    listeners.delete(listener);
    run();
  };
}

if (typeof document !== "undefined") {
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && listeners.size > 0) tick();
    run();
  });
}

/** What `tell` makes of now, and a new render when that changes. It must give a text or a number. */
export function useNow<T extends string | number | null>(tell: (now: number) => T): T {
  return useSyncExternalStore(follow, () => tell(pageNow()));
}
