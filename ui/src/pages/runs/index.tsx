import { prefetch } from "@/api/queries";
import { GetExperiment, ListColumns } from "@/api/schema";
import { COLUMNS_READ } from "@/pages/runs/Runs";

export { default } from "@/pages/runs/Runs";

/** What the page reads first. */
export function preload({ id }: { id: string }): void {
  prefetch(GetExperiment, { experiment_id: id });
  prefetch(ListColumns, { experiment_ids: [id], limit: COLUMNS_READ });
}
