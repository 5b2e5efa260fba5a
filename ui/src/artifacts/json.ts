// A JSON value as the lines of a tree: those of what is open, and what a search finds.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface TreeLine {
  /** The keys on the way to it, each after a slash, escaped as in a JSON pointer. */
  path: string;
  depth: number;
  key: string | null;
  value: Json;
  /** How many entries it has; null for what has none. */
  size: number | null;
  open: boolean;
}

// Python writes numbers that JSON does not have.
const ODD = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g;

/** The value of a text, also where it holds NaN and Infinity, which become texts. Raises SyntaxError. */
export function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    const plain = text.replace(ODD, (part) => (part.startsWith('"') ? part : `"${part}"`));
    if (plain === text) throw error;
    return JSON.parse(plain) as Json;
  }
}

function entries(value: Json): [string, Json][] | null {
  return typeof value === "object" && value !== null ? Object.entries(value as Record<string, Json>) : null;
}

function below(path: string, key: string): string {
  return `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

export function linesOf(value: Json, open: ReadonlySet<string>, path = "", key: string | null = null, depth = 0): TreeLine[] {
  const inner = entries(value);
  const isOpen = inner !== null && open.has(path);
  const line: TreeLine = { path, depth, key, value, size: inner?.length ?? null, open: isOpen };
  const made = [line];
  if (inner && isOpen) for (const [name, of] of inner) for (const one of linesOf(of, open, below(path, name), name, depth + 1)) made.push(one);
  return made;
}

const MOST_FOUND = 1000;

/** The paths of what has a text in its key or value, in their order. */
export function find(value: Json, text: string, path = "", key = "", found: string[] = []): string[] {
  if (found.length >= MOST_FOUND || text === "") return found;
  const inner = entries(value);
  const said = inner ? key : `${key} ${String(value)}`;
  if (said.toLowerCase().includes(text)) found.push(path);
  for (const [name, of] of inner ?? []) find(of, text, below(path, name), name, found);
  return found;
}

/** The paths that must be open for a path to be seen. */
export function above(path: string): string[] {
  const parts = path.split("/").slice(1);
  return parts.map((_, at) => ["", ...parts.slice(0, at)].join("/"));
}

const LINES_AT_FIRST = 250;

/** What is open at first: the root, and of what it holds as much as is still looked over. */
export function openAtFirst(value: Json): ReadonlySet<string> {
  const open = new Set([""]);
  const inner = entries(value) ?? [];
  let lines = inner.length;
  for (const [key, of] of inner) {
    lines += entries(of)?.length ?? 0;
    if (lines > LINES_AT_FIRST) break;
    open.add(below("", key));
  }
  return open;
}

const PREVIEWED = 5;
const WORD = 30;

/** What is in a short list or object, on one line; "" for what is empty or long. */
export function preview(value: Json): string {
  const inner = entries(value) ?? [];
  if (inner.length === 0 || inner.length > PREVIEWED) return "";
  const isList = Array.isArray(value);
  const said = inner.map(([key, of]) => {
    const word = entries(of) ? (Array.isArray(of) ? "[…]" : "{…}") : JSON.stringify(typeof of === "string" && of.length > WORD ? `${of.slice(0, WORD)}…` : of);
    return isList ? word : `${key}: ${word}`;
  });
  return said.join(", ");
}

const WIDTH = 100;

/** A value as indented JSON in which what is short stands on one line. */
export function compact(value: Json, indent = ""): string {
  const flat = JSON.stringify(value);
  const inner = entries(value);
  if (!inner || inner.length === 0 || indent.length + flat.length <= WIDTH) return flat;
  const isList = Array.isArray(value);
  const lines = inner.map(([key, of]) => `${indent}  ${isList ? "" : `${JSON.stringify(key)}: `}${compact(of, `${indent}  `)}`);
  return `${isList ? "[" : "{"}\n${lines.join(",\n")}\n${indent}${isList ? "]" : "}"}`;
}
