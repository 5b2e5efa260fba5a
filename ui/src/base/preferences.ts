// What a reader has chosen for this browser: theme, density, keys, sidebar. Kept in local storage.
import { useSyncExternalStore } from "react";

export interface Preferences {
  theme: "system" | "light" | "dark";
  density: "compact" | "normal" | "relaxed";
  /** How many significant digits numbers have at most; 17 are all of them. */
  digits: "3" | "4" | "6" | "17";
  times: "relative" | "absolute";
  /** Whether single letters are shortcuts. */
  letters: boolean;
  sidebar: boolean;
}

const KEY = "millstream.preferences";
const DEFAULTS: Preferences = { theme: "system", density: "normal", digits: "6", times: "relative", letters: true, sidebar: true };

const listeners = new Set<() => void>();
let current = read();

function read(): Preferences {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Preferences>) };
  } catch {
    return DEFAULTS;
  }
}

function announce(): void {
  for (const listener of listeners) listener();
}

export function preferences(): Preferences {
  return current;
}

export function setPreference<K extends keyof Preferences>(name: K, value: Preferences[K]): void {
  current = { ...current, [name]: value };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // A browser that keeps nothing forgets it with the page.
  }
  apply();
  announce();
}

/** The preferences, and a new render when one changes. */
export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, preferences);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const system = typeof matchMedia === "undefined" ? null : matchMedia("(prefers-color-scheme: dark)");

export function isDark(): boolean {
  return current.theme === "dark" || (current.theme === "system" && (system?.matches ?? false));
}

/** Whether the page is dark now, and a new render when that changes. */
export function useDark(): boolean {
  return useSyncExternalStore(subscribe, isDark);
}

function apply(): void {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  document.documentElement.dataset.density = current.density;
}

/** Puts theme and density on the page and follows the system's; called once, before the first render. */
export function startPreferences(): void {
  apply();
  system?.addEventListener("change", () => {
    apply();
    announce();
  });
  addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    current = read();
    apply();
    announce();
  });
}
