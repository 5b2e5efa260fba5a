// The cells of a notebook, in the forms of nbformat 4 and 3.
import { parseJson } from "@/artifacts/json";

export type Output =
  | { kind: "text"; text: string; bad: boolean }
  | { kind: "image"; address: string }
  /** Which output of its cell it is: the server has the page. */
  | { kind: "html"; at: number };

export interface Cell {
  kind: "code" | "markdown" | "raw";
  text: string;
  /** The number of its execution; null if it was not executed. */
  turn: number | null;
  outputs: readonly Output[];
}

type Fields = Record<string, unknown>;

// What tells terminals their colours.
const ANSI = /\u001b\[[0-9;]*[A-Za-z]/g;

function joined(value: unknown): string {
  return Array.isArray(value) ? value.join("") : typeof value === "string" ? value : "";
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? value as Fields : {};
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

function outputOf(output: Fields, at: number): Output | null {
  if (output.output_type === "error" || output.output_type === "pyerr") {
    const told = Array.isArray(output.traceback) && output.traceback.length ? output.traceback.join("\n") : `${String(output.ename)}: ${String(output.evalue)}`;
    return { kind: "text", text: told.replace(ANSI, ""), bad: true };
  }
  if (output.output_type === "stream") return { kind: "text", text: joined(output.text).replace(ANSI, ""), bad: output.name === "stderr" };
  const data = output.data ? fields(output.data) : output;
  for (const type of ["image/png", "image/jpeg", "image/gif"]) {
    const image = data[type] ?? data[type.slice("image/".length)];
    if (image) return { kind: "image", address: `data:${type};base64,${joined(image).replace(/\s/g, "")}` };
  }
  if (data["image/svg+xml"]) return { kind: "image", address: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(joined(data["image/svg+xml"]))}` };
  if (data["text/html"]) return { kind: "html", at };
  const text = joined(data["text/plain"] ?? data.text);
  return text ? { kind: "text", text: text.replace(ANSI, ""), bad: false } : null;
}

/** The language and the cells of a notebook. Raises SyntaxError for what is no JSON. */
export function readNotebook(text: string): { language: string; cells: readonly Cell[] } {
  const book = fields(parseJson(text));
  const metadata = fields(book.metadata);
  const language = fields(metadata.language_info).name ?? fields(metadata.kernelspec).language;
  const cells = book.cells ? list(book.cells) : list(book.worksheets).flatMap((sheet) => list(sheet.cells));
  return {
    language: typeof language === "string" ? language.toLowerCase() : "python",
    cells: cells.map((cell) => ({
      kind: cell.cell_type === "code" ? "code" : cell.cell_type === "markdown" ? "markdown" : "raw",
      text: joined(cell.source ?? cell.input),
      turn: typeof cell.execution_count === "number" ? cell.execution_count : typeof cell.prompt_number === "number" ? cell.prompt_number : null,
      outputs: list(cell.outputs).flatMap((output, at) => outputOf(output, at) ?? []),
    })),
  };
}
