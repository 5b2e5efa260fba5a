// State of a page in its address: short keys, defaults left out, long states under an id of the server.
import { useCallback, useMemo, useSyncExternalStore } from "react";
import { currentPath, navigate, useSearch } from "@/base/location";

/** How one key of the query is read and written; what equals the default is left out. */
export interface Field<T> {
  fallback: T;
  read(text: string): T;
  write(value: T): string;
}

export type Fields = Record<string, Field<unknown>>;
export type StateOf<F> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never };

export const text = (fallback = ""): Field<string> => ({ fallback, read: (given) => given, write: (value) => value });

export const flag = (fallback = false): Field<boolean> => ({
  fallback, read: (given) => given === "1", write: (value) => (value ? "1" : "0"),
});

export const numeric = (fallback: number): Field<number> => ({
  fallback,
  read: (given) => (given !== "" && Number.isFinite(Number(given)) ? Number(given) : fallback),
  write: (value) => String(value),
});

export function choice<const T extends string>(choices: readonly T[], fallback: T = choices[0] as T): Field<T> {
  return { fallback, read: (given) => choices.find((known) => known === given) ?? fallback, write: (value) => value };
}

/** A list of texts, with commas between; a comma within one is written ~. and a tilde ~~. */
export const list = (fallback: readonly string[] = []): Field<readonly string[]> => ({
  fallback,
  read: (given) => (given === "" ? [] : given.split(",").map((part) => part.replace(/~([~.])/g, (_, is) => (is === "~" ? "~" : ",")))),
  write: (values) => values.map((value) => value.replace(/[~,]/g, (is) => (is === "~" ? "~~" : "~."))).join(","),
});

export function readState<F extends Fields>(fields: F, search: string): StateOf<F> {
  const query = new URLSearchParams(search);
  return Object.fromEntries(Object.entries(fields).map(([key, field]) => {
    const given = query.get(key);
    return [key, given === null ? field.fallback : field.read(given)];
  })) as StateOf<F>;
}

/** The query after a change: other keys stay, defaults go. */
export function writeState<F extends Fields>(fields: F, search: string, change: Partial<StateOf<F>>): string {
  const query = new URLSearchParams(search);
  for (const [key, value] of Object.entries(change)) {
    const field = fields[key] as Field<unknown> | undefined;
    if (!field || value === undefined) continue;
    const written = field.write(value);
    if (written === field.write(field.fallback)) query.delete(key);
    else query.set(key, written);
  }
  return readable(query);
}

/** The query with what needs no escape in it left as it is. */
export function readable(query: URLSearchParams): string {
  return query.toString().replaceAll("%2C", ",").replaceAll("%2F", "/").replaceAll("%3A", ":");
}

const LONGEST = 1500;

/** Where states that are too long for an address are kept; set by the frame. */
export interface LongStates {
  save: (search: string) => Promise<string>;
  load: (id: string) => Promise<string>;
}

let longStates: LongStates | null = null;
const known = new Map<string, string>();
const asked = new Set<string>();
const listeners = new Set<() => void>();

export function setLongStates(states: LongStates): void {
  longStates = states;
}

function learn(id: string, search: string): void {
  known.set(id, search);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export interface SetOptions {
  /** A new entry of the browser's history instead of a change of this one. */
  push?: boolean;
}

/**
 * The state that `fields` (a constant of the module) describe, and how to change it. `pending` while a long state is
 * being fetched.
 */
export function useUrlState<F extends Fields>(
  fields: F,
): [StateOf<F>, (change: Partial<StateOf<F>>, options?: SetOptions) => void, { pending: boolean }] {
  const search = useSearch();
  const id = new URLSearchParams(search).get("v");
  const long = useSyncExternalStore(subscribe, () => (id === null ? null : known.get(id) ?? null));
  if (id !== null && long === null && longStates && !asked.has(id)) {
    asked.add(id);
    longStates.load(id).then((loaded) => learn(id, loaded), () => learn(id, ""));
  }
  const effective = id === null ? search : long ?? "";
  const state = useMemo(() => readState(fields, effective), [fields, effective]);
  const set = useCallback((change: Partial<StateOf<F>>, options: SetOptions = {}) => {
    // From the address itself, as two changes may come before the next render.
    const now = new URLSearchParams(location.search);
    const kept = now.get("v");
    const next = writeState(fields, kept === null ? location.search : known.get(kept) ?? "", change);
    const go = (query: string, push: boolean) => navigate(query ? `${currentPath()}?${query}` : currentPath(), { replace: !push });
    go(next, options.push ?? false);
    if (next.length > LONGEST && longStates) {
      longStates.save(next).then((made) => {
        known.set(made, next);
        if (location.search.slice(1) === next) go(`v=${made}`, false);
      }, () => undefined);
    }
  }, [fields]);
  return [state, set, { pending: id !== null && long === null }];
}
