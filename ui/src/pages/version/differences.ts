// What differs between two versions: values side by side by their key, fields of signatures by their name.
import type { Field } from "@/artifacts/model/signature";

export interface Pair {
  key: string;
  own: string | null;
  other: string | null;
}

/** The keys of both in their order, each with both values. */
export function pairs(own: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): readonly Pair[] {
  return [...new Set([...own.keys(), ...other.keys()])].sort((a, b) => a.localeCompare(b, "en", { numeric: true })).map((key) => ({
    key, own: own.get(key) ?? null, other: other.get(key) ?? null,
  }));
}

/** The fields of a signature as values: its type, and whether it may be left out. A field without a name is known by its place. */
export function fieldValues(fields: readonly Field[]): ReadonlyMap<string, string> {
  return new Map(fields.map((field, at) => [
    field.name || `#${at + 1}`, `${field.type}${field.fallback === undefined ? (field.required ? "" : ", may be left out") : ` = ${field.fallback}`}`,
  ]));
}

/** A text as one word of a shell. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
