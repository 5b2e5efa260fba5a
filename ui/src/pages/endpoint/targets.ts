// What traffic can be sent to: versions, stages and aliases of the model of an endpoint.
import type { EndpointAnswer } from "@/api/schema";

/** [target, words for it]: aliases and stages say which version they name now. */
export function targetsOf({ versions = [] }: EndpointAnswer): readonly (readonly [string, string])[] {
  const newest = versions.toSorted((left, right) => Number(right.version) - Number(left.version));
  const aliases = newest.flatMap((one) => one.aliases.map((alias) => [`@${alias}`, `@${alias} (now version ${one.version})`] as const));
  const stages = ["Production", "Staging"].map((stage) => {
    const now = newest.find((one) => one.stage === stage);
    return [stage, now ? `${stage} (now version ${now.version})` : `${stage} (none now)`] as const;
  });
  return [...newest.map((one) => [one.version, `version ${one.version}`] as const), ...aliases, ...stages, ["latest", "latest"]];
}
