// The ways to look at a file: the first is how it is shown unless another is chosen.
import { nameOf, type FileFacts } from "@/artifacts/place";

export type Look =
  | "model" | "map" | "tree" | "grid" | "page" | "notebook" | "prose" | "image" | "pdf" | "audio" | "video" | "source" | "bytes";

export const LOOK_NAMES: Record<Look, string> = {
  model: "Model", map: "Map", tree: "Tree", grid: "Table", page: "Page", notebook: "Notebook", prose: "Text", image: "Image",
  pdf: "Document", audio: "Audio", video: "Video", source: "Source", bytes: "Bytes",
};

/** What is read whole, so that a large file is only read when somebody asks for it. */
const WHOLE: ReadonlySet<Look> = new Set(["model", "map", "tree", "page", "notebook", "prose", "image", "pdf"]);
export const ASKED_ABOVE = 5_000_000;

const BY_KIND: Record<FileFacts["kind"], readonly Look[]> = {
  text: ["source"], json: ["tree", "source"], table: ["grid", "source"], image: ["image"], markdown: ["prose", "source"],
  html: ["page", "source"], notebook: ["notebook", "source"], pdf: ["pdf"], audio: ["audio"], video: ["video"],
  yaml: ["tree", "source"], other: ["bytes"],
};

export function looksOf({ path, kind, type, head }: Pick<FileFacts, "path" | "kind" | "type" | "head">): readonly Look[] {
  const name = nameOf(path).toLowerCase();
  if (name === "mlmodel") return ["model", "tree", "source"];
  if (type === "image/svg+xml") return ["page", "source"];
  if (name.endsWith(".geojson")) return ["map", "tree", "source"];
  if (name.endsWith(".parquet")) return ["grid", "bytes"];
  if (kind === "json" && isTable(head)) return ["grid", "tree", "source"];
  return BY_KIND[kind];
}

/** Whether a JSON file begins as those that `log_table` writes. */
function isTable(head: string): boolean {
  return /^\s*\{\s*"columns"\s*:\s*\[/.test(textOf(head));
}

/** Whether to ask before a file is read. */
export function asksFirst(look: Look, size: number): boolean {
  return WHOLE.has(look) && size > ASKED_ABOVE;
}

/** The bytes of hexadecimal digits. */
export function bytesOf(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function textOf(digits: string): string {
  return new TextDecoder().decode(bytesOf(digits));
}

const LANGUAGES: Record<string, string> = {
  py: "python", json: "json", geojson: "json", ipynb: "json", yaml: "yaml", yml: "yaml", mlmodel: "yaml", mlproject: "yaml", sh: "bash", bash: "bash",
  r: "r", sql: "sql", md: "markdown", js: "javascript", ts: "typescript", xml: "xml", html: "xml", htm: "xml", svg: "xml", css: "css",
  toml: "ini", ini: "ini", cfg: "ini", conf: "ini", dockerfile: "dockerfile", diff: "diff", patch: "diff",
};

/** The language that a file is written in, by its name; null if it is none to colour. */
export function languageOf(path: string): string | null {
  const name = nameOf(path).toLowerCase();
  return LANGUAGES[name.slice(name.lastIndexOf(".") + 1)] ?? null;
}
