import { useSyncExternalStore } from "react";
import { Button, IconButton } from "@/parts/Button";

interface Note {
  id: number;
  text: string;
  undo?: () => Promise<unknown>;
  bad: boolean;
}

const SHOWN_MS = 6000;
const WITH_UNDO_MS = 12_000;
let notes: readonly Note[] = [];
let last = 0;
const listeners = new Set<() => void>();

function show(next: readonly Note[]): void {
  notes = next;
  for (const listener of listeners) listener();
}

/** Says what was done, at the foot of the page; with `undo`, it can be taken back for a while. */
export function toast(text: string, { undo, bad = false }: { undo?: () => Promise<unknown>; bad?: boolean } = {}): void {
  last += 1;
  const id = last;
  show([...notes, { id, text, undo, bad }]);
  setTimeout(() => dismiss(id), undo ? WITH_UNDO_MS : SHOWN_MS);
}

/** Says what could not be done. */
export function toastError(error: unknown): void {
  toast(error instanceof Error ? error.message : String(error), { bad: true });
}

function dismiss(id: number): void {
  show(notes.filter((note) => note.id !== id));
}

/** Where toasts stand; rendered once, by the frame. */
export function Toasts() {
  const shown = useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, () => notes);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((note) => (
        <div key={note.id} className={`toast${note.bad ? " bad" : ""}`}>
          <span className="grow">{note.text}</span>
          {note.undo && <Button onClick={() => {
            dismiss(note.id);
            note.undo?.().catch(toastError);
          }}>Undo</Button>}
          <IconButton icon="close" label="Dismiss" onClick={() => dismiss(note.id)} />
        </div>
      ))}
    </div>
  );
}
