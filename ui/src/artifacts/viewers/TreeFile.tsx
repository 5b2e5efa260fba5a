import { useQuery } from "@tanstack/react-query";
import { parseJson, type Json } from "@/artifacts/json";
import { ARTIFACTS_KEY, readText } from "@/artifacts/place";
import { JsonTree } from "@/artifacts/viewers/JsonTree";
import { Text } from "@/artifacts/viewers/TextFile";
import type { FileProps } from "@/artifacts/Viewer";
import { Loaded } from "@/parts/States";

/** JSON and YAML as a tree; what is not well formed, as its text. */
export default function TreeFile({ place, path, facts }: FileProps) {
  const query = useQuery({
    queryKey: [ARTIFACTS_KEY, place.base, "tree", path],
    queryFn: async ({ signal }): Promise<{ value: Json } | { problem: string }> => {
      const text = await readText(place, path, signal);
      try {
        return { value: facts.kind === "json" ? parseJson(text) : await parseYaml(text) };
      } catch (error) {
        return { problem: error instanceof Error ? error.message : String(error) };
      }
    },
    structuralSharing: false,
  });
  return (
    <Loaded query={query} what="The file">
      {(read) => ("value" in read ? <JsonTree label="Content" value={read.value} /> : (
        <>
          <p className="artifacts-bar problem" role="alert">It cannot be shown as a tree: {read.problem.split("\n")[0]}</p>
          <Text place={place} path={path} size={facts.size} />
        </>
      ))}
    </Loaded>
  );
}

/** The documents of a YAML text; of several, a list. */
async function parseYaml(text: string): Promise<Json> {
  const { loadAll } = await import("js-yaml");
  const documents = loadAll(text) as Json[];
  return documents.length === 1 ? documents[0] ?? null : documents;
}
