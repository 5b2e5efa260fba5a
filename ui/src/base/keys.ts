// Keyboard shortcuts: whoever is on the page enters its own, the newest first; the help lists what is entered.
import { useEffect, useRef, useSyncExternalStore } from "react";
import { preferences } from "@/base/preferences";

export interface Shortcut {
  /** "j", "Shift+x", "g e" (one after the other), "Mod+k" (Ctrl, on a Mac the command key), "Escape". */
  keys: string;
  /** What it does, for the help. */
  what: string;
  group: string;
  run: (event: KeyboardEvent) => void;
  /** Whether it also counts while a text is being typed. */
  typing?: boolean;
}

interface Entry {
  shortcuts: { current: readonly Shortcut[] };
}

const SEQUENCE_MS = 1200;
const entries: Entry[] = [];
const listeners = new Set<() => void>();
let shown: readonly Shortcut[] = [];
let before = "";
let beforeAt = 0;

/** Enters shortcuts for as long as the component is on the page. */
export function useKeys(shortcuts: readonly Shortcut[], enabled: boolean = true): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  useEffect(() => {
    if (!enabled) return;
    const entry: Entry = { shortcuts: latest };
    entries.unshift(entry);
    changed();
    return () => {
      entries.splice(entries.indexOf(entry), 1);
      changed();
    };
  }, [enabled]);
}

function changed(): void {
  shown = entries.flatMap((entry) => entry.shortcuts.current);
  for (const listener of listeners) listener();
}

/** Every shortcut that counts now, the newest first. */
export function useShortcuts(): readonly Shortcut[] {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, () => shown);
}

/** How a pressed key is written in {@link Shortcut.keys}. */
export function written(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">): string {
  const key = event.key === " " ? "Space" : event.key;
  const letter = key.length === 1;
  const name = letter && event.shiftKey && key.toLowerCase() !== key.toUpperCase() ? key.toLowerCase() : key;
  const shift = event.shiftKey && (!letter || name !== key) ? "Shift+" : "";
  return `${event.ctrlKey || event.metaKey ? "Mod+" : ""}${event.altKey ? "Alt+" : ""}${shift}${name}`;
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button", "range"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

function press(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const key = written(event);
  const held = event.ctrlKey || event.metaKey || event.altKey;
  const typing = isTyping(event.target);
  const single = !held && event.key.length === 1 && event.key !== "?" && event.key !== "/";
  if (single && !preferences().letters) return;
  if (!held && document.querySelector("dialog[open]")) return;
  const now = performance.now();
  const sequence = before && now - beforeAt < SEQUENCE_MS ? `${before} ${key}` : "";
  const found = find(sequence, typing) ?? find(key, typing);
  before = typing || held ? "" : key;
  beforeAt = now;
  if (!found) return;
  before = "";
  event.preventDefault();
  found.run(event);
}

function find(keys: string, typing: boolean): Shortcut | undefined {
  if (!keys) return undefined;
  for (const entry of entries) {
    for (const shortcut of entry.shortcuts.current) {
      if (shortcut.keys === keys && (!typing || shortcut.typing)) return shortcut;
    }
  }
  return undefined;
}

export function startKeys(): void {
  addEventListener("keydown", press);
}

/** What `Mod+k` is called on a keyboard. */
export function shownKeys(keys: string): string {
  const mac = navigator.platform.startsWith("Mac");
  return keys.replace("Mod+", mac ? "⌘" : "Ctrl ").replace("Shift+", "Shift ").replace("Escape", "Esc");
}
