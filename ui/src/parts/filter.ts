// The words of the filter language, and how keys and values are written in it. The server holds the grammar.

export type KeyKind = "metric" | "param" | "tag";

export interface Vocabulary {
  /** Fields that stand without a prefix, as `status`; texts take quotes. */
  attributes: Readonly<Record<string, "text" | "number">>;
  /** Prefixes with the kind of key that follows them. */
  prefixes: Readonly<Record<string, KeyKind>>;
  functions?: boolean;
}

export const RUN_WORDS: Vocabulary = {
  attributes: {
    run_name: "text", status: "text", user_id: "text", start_time: "number", end_time: "number", run_id: "text", artifact_uri: "text",
    "datasets.name": "text", "datasets.digest": "text", "datasets.context": "text",
  },
  prefixes: { metrics: "metric", params: "param", tags: "tag" },
  functions: true,
};

export const EXPERIMENT_WORDS: Vocabulary = {
  attributes: { name: "text", experiment_id: "text", creation_time: "number", last_update_time: "number" },
  prefixes: { tags: "tag" },
};

export const MODEL_WORDS: Vocabulary = { attributes: { name: "text" }, prefixes: { tags: "tag" } };

/** A key as it stands in a filter after its prefix. */
export function quotedKey(key: string): string {
  return /^[A-Za-z_][A-Za-z0-9_./]*$/.test(key) ? key : `\`${key}\``;
}

/** A value as it stands in a filter. */
export function quotedValue(value: string | number): string {
  return typeof value === "number" ? String(value) : value.includes("'") ? `"${value}"` : `'${value}'`;
}

/** A filter with one more condition. */
export function withCondition(filter: string, condition: string): string {
  const given = filter.trim();
  if (!given) return condition;
  return / or /i.test(given) ? `(${given}) AND ${condition}` : `${given} AND ${condition}`;
}
