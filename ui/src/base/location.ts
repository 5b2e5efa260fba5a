// The address of the browser: its path below the server's prefix, its query, and how to change it.
import { useSyncExternalStore } from "react";

/** The prefix that the server lives below, without a slash at its end. */
export const prefix = typeof document === "undefined" ? "" : new URL(document.baseURI).pathname.replace(/\/$/, "");

const listeners = new Set<() => void>();

/** Tells who reads the address that it is another. */
export function addressChanged(): void {
  for (const listener of [...listeners]) listener();
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) addEventListener("popstate", addressChanged);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) removeEventListener("popstate", addressChanged);
  };
}

/** The path of the address, escaped as it stands there: /models/a%2Fb. */
export function currentPath(): string {
  return location.pathname.slice(prefix.length) || "/";
}

export const usePath = (): string => useSyncExternalStore(subscribe, currentPath);

/** The query of the address, without its question mark. */
export const useSearch = (): string => useSyncExternalStore(subscribe, () => location.search.slice(1));

/** Goes to an address of ours; with `replace` instead of the entry of the history that is shown. */
export function navigate(to: string, { replace = false }: { replace?: boolean } = {}): void {
  history[replace ? "replaceState" : "pushState"](null, "", prefix + to);
  addressChanged();
}

/** The fields of a path that fits a pattern as /models/:name, unescaped; null when it does not fit. */
export function fieldsOf(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split("/");
  const given = path.replace(/(.)\/$/, "$1").split("/");
  if (wanted.length !== given.length) return null;
  const fields: Record<string, string> = {};
  for (const [at, part] of wanted.entries()) {
    const segment = given[at] ?? "";
    if (!part.startsWith(":")) {
      if (part !== segment.toLowerCase()) return null;
    } else if (segment === "") return null;
    else fields[part.slice(1)] = unescaped(segment);
  }
  return fields;
}

function unescaped(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;  // a lone percent sign
  }
}
