// The file MLmodel of a version, read.
import { useQuery } from "@tanstack/react-query";
import { readSignature, type Field } from "@/artifacts/model/signature";
import { ARTIFACTS_KEY, entriesOf, nameOf, placeOfVersion, readText } from "@/artifacts/place";

export interface VersionModel {
  /** Whether there is a file MLmodel. */
  described: boolean;
  inputs: readonly Field[];
  outputs: readonly Field[];
  params: readonly Field[];
  flavors: readonly string[];
  /** A request as the scoring server takes it, if one was saved. */
  request: string | null;
}

interface Described {
  flavors?: Record<string, unknown>;
  signature?: { inputs?: string | null; outputs?: string | null; params?: string | null } | null;
}

const NOTHING: VersionModel = { described: false, inputs: [], outputs: [], params: [], flavors: [], request: null };
const REQUEST = "serving_input_example.json";
const REQUEST_BYTES = 2000;

export function useVersionModel(name: string, version: string | null) {
  return useQuery({
    queryKey: [ARTIFACTS_KEY, "version model", name, version],
    enabled: version !== null,
    queryFn: async ({ signal }): Promise<VersionModel> => {
      const place = placeOfVersion(name, version ?? "");
      // Files may be gone while the version is still there.
      const entries = await entriesOf(place, "", signal).catch(() => []);
      const has = (file: string) => entries.find((entry) => nameOf(entry.path) === file);
      if (!has("MLmodel")) return NOTHING;
      const { load } = await import("js-yaml");
      const saved = has(REQUEST);
      const [text, request] = await Promise.all([readText(place, "MLmodel", signal), saved && (saved.file_size ?? 0) <= REQUEST_BYTES ? readText(place, REQUEST, signal) : null]);
      const read = (load(text) ?? {}) as Described;
      const [inputs = [], outputs = [], params = []] = [read.signature?.inputs, read.signature?.outputs, read.signature?.params].map(readSignature);
      return { described: true, inputs, outputs, params, flavors: Object.keys(read.flavors ?? {}), request };
    },
  });
}
