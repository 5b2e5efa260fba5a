// The order of the table of versions.
import type { ModelVersion } from "@/api/schema";
import { numberOf } from "@/base/format";
import { STAGES } from "@/pages/model/data";

/** What a version is ordered by: numbers before texts, what is missing last. */
type Value = number | string | null;

export function valueOf(version: ModelVersion, key: string, metric: (key: string) => number | string | null): Value {
  switch (key) {
    case "version": return Number(version.version);
    case "stage": return STAGES.indexOf((version.current_stage ?? "None") as (typeof STAGES)[number]);
    case "created": return version.creation_timestamp;
    case "user": return version.user_id || null;
    default: {
      const value = numberOf(metric(key.replace(/^metrics\./, "")));
      return value === null || Number.isNaN(value) ? null : value;
    }
  }
}

/** The versions in an order: a key, with a minus for downwards; of equals the newest first. */
export function ordered(versions: readonly ModelVersion[], sort: string, metric: (version: ModelVersion, key: string) => number | string | null): readonly ModelVersion[] {
  const down = sort.startsWith("-") ? -1 : 1;
  const key = sort.replace(/^-/, "");
  const valued = versions.map((version) => ({ version, value: valueOf(version, key, (name) => metric(version, name)) }));
  valued.sort((a, b) => {
    if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null);
    const apart = typeof a.value === "number" && typeof b.value === "number" ? a.value - b.value : String(a.value).localeCompare(String(b.value));
    return apart * down || Number(b.version.version) - Number(a.version.version);
  });
  return valued.map(({ version }) => version);
}
