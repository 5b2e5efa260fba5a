// Keys of metrics: found by a regular expression, grouped by what stands before their last slash.

export function grouped(keys: readonly string[]): Map<string, string[]> {
  const made = new Map<string, string[]>();
  for (const key of keys) {
    const prefix = key.includes("/") ? key.slice(0, key.lastIndexOf("/")) : "";
    made.set(prefix, [...(made.get(prefix) ?? []), key]);
  }
  return made;
}

/** The keys that a regular expression finds; all of them, and `problem`, while it is none. */
export function search(keys: readonly string[], text: string): { found: readonly string[]; problem: boolean } {
  if (!text) return { found: keys, problem: false };
  try {
    const expression = new RegExp(text, "i");
    return { found: keys.filter((key) => expression.test(key)), problem: false };
  } catch {
    return { found: keys, problem: true };
  }
}
