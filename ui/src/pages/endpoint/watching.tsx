import { call } from "@/api/client";
import { refresh } from "@/api/queries";
import { DeleteMonitor, GetMonitor, SearchRequests, SetMonitor } from "@/api/schema";
import { Button } from "@/parts/Button";
import { toast, toastError } from "@/parts/Toast";

/** Watches an endpoint from now on. */
export function WatchButton({ name }: { name: string }) {
  const watch = () => call(SetMonitor, { name }).then(() => {
    toast(`${name} is watched: requests are kept, and compared with the training data`, { undo: () => call(DeleteMonitor, { name }).then(() => refreshMonitor()) });
  }, toastError).then(refreshMonitor);
  return <Button icon="view" tone="main" onClick={() => void watch()}>Watch it</Button>;
}

export function refreshMonitor(): Promise<void> {
  return refresh(GetMonitor, SearchRequests);
}
