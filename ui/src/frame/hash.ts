/** The page of ours for an address of MLflow's UI, which stands after the #; null if it is none. */
export function pathOfHash(hash: string): string | null {
  if (!hash.startsWith("#/")) return null;
  const [path = "", query = ""] = hash.slice(1).split("?");
  const parts = path.split("/").filter(Boolean);
  const [first, second, third, fourth] = parts;
  if (first === "experiments" && second && third === "runs" && fourth) return `/run/${fourth}${artifact(parts.slice(4))}`;
  if (first === "experiments" && second) return `/exp/${second}`;
  if (first === "runs" && second) return `/run/${second}`;
  if (first === "models" && second && third === "versions" && fourth) return `/models/${second}/${fourth}`;
  if (first === "models" && second) return `/models/${second}`;
  if (first === "models") return "/models";
  if (first === "compare-runs") return `/compare?sel=${listOf(query, "runs").join(",")}`;
  if (first === "compare-experiments") return `/compare?exp=${listOf(query, "experiments").join(",")}`;
  return first === "experiments" || first === undefined ? "/" : null;
}

function artifact(rest: readonly string[]): string {
  const [kind, ...path] = rest;
  if (kind === "artifactPath" || kind === "artifacts") return `?tab=artifacts${path.length ? `&path=${path.join("/")}` : ""}`;
  return kind === "model-metrics" ? "?tab=charts" : "";
}

function listOf(query: string, name: string): string[] {
  try {
    const given: unknown = JSON.parse(new URLSearchParams(query).get(name) ?? "[]");
    return Array.isArray(given) ? given.map(String) : [];
  } catch {
    return [];
  }
}
