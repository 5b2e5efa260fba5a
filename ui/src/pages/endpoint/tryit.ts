// What a model takes, as a form of one row of fields a record, and what is sent from it.
import type { Field } from "@/artifacts/model/signature";

/** A record as it is typed: column → text. */
export type Typed = Readonly<Record<string, string>>;

const NUMBERS = new Set(["double", "float"]);
const INTEGERS = new Set(["integer", "long"]);
const TEXTS = new Set(["string", "datetime", "binary"]);

function isScalar(type: string): boolean {
  return NUMBERS.has(type) || INTEGERS.has(type) || TEXTS.has(type) || type === "boolean";
}

/** Whether a form can be made of these columns: named, each of one value. Tensors and nested types are typed as JSON. */
export function isForm(fields: readonly Field[]): boolean {
  return fields.length > 0 && fields.every((field) => field.name !== "" && isScalar(field.type));
}

/** The records of an example as MLflow stores it for serving, as texts; one empty record where it has none. */
export function recordsOf(example: string | null, fields: readonly Field[]): readonly Typed[] {
  const empty = Object.fromEntries(fields.map((field) => [field.name, ""]));
  const rows = rowsOf(parsed(example)).map((row) => Object.fromEntries(fields.map(({ name }) => [name, textOf(row[name])])));
  return rows.length > 0 ? rows : [empty];
}

function parsed(text: string | null): Record<string, unknown> {
  try {
    return JSON.parse(text ?? "{}") as Record<string, unknown>;
  } catch {
    return {};
  }
}

function rowsOf(example: Record<string, unknown>): readonly Record<string, unknown>[] {
  if (Array.isArray(example.dataframe_records)) return example.dataframe_records as Record<string, unknown>[];
  const split = example.dataframe_split as { columns?: string[]; data?: unknown[][] } | undefined;
  return (split?.data ?? []).map((values) => Object.fromEntries((split?.columns ?? []).map((name, at) => [name, values[at]])));
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The value of a field as it is sent, null for an empty one. Raises Error for a text that is none of its type. */
export function valueOf(text: string, { name, type, required }: Field): unknown {
  if (text === "" && type !== "string") {
    if (required) throw new Error(`${name} is empty; it takes a ${type}`);
    return null;
  }
  if (type === "boolean") {
    if (!/^(true|false)$/i.test(text)) throw new Error(`${name} is true or false, not ${text}`);
    return text.toLowerCase() === "true";
  }
  if (!NUMBERS.has(type) && !INTEGERS.has(type)) return text;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error(`${name} takes a number, not ${text}`);
  if (INTEGERS.has(type) && !Number.isInteger(value)) throw new Error(`${name} takes a whole number, not ${text}`);
  return value;
}

/** The body of a request of typed records and parameters. Raises Error where a text does not fit its type. */
export function bodyOf(records: readonly Typed[], fields: readonly Field[], params: Typed, parameters: readonly Field[]): object {
  const rows = records.map((record) => Object.fromEntries(fields.flatMap((field) => {
    const value = valueOf(record[field.name] ?? "", field);
    return value === null && !field.required ? [] : [[field.name, value] as const];
  })));
  const given = parameters.filter(({ name }) => (params[name] ?? "") !== "").map((field) => [field.name, parameterOf(params[field.name] ?? "", field)] as const);
  return { dataframe_records: rows, ...(given.length > 0 ? { params: Object.fromEntries(given) } : {}) };
}

function parameterOf(text: string, field: Field): unknown {
  return isScalar(field.type) ? valueOf(text, field) : JSON.parse(text);
}

/** The same request for a shell. */
export function curlOf(url: string, body: string): string {
  return `curl ${quoted(url)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(body)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
