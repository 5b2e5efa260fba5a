import { useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";
import { Button, IconButton } from "@/parts/Button";

interface DialogProps {
  title: string;
  onClose: () => void;
  /** In pixels; 440 unless given. */
  width?: number;
  children: ReactNode;
}

/** A modal dialog, on the page for as long as it is rendered. Escape and a click on the shade close it. */
export function Dialog({ title, onClose, width = 440, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const opener = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    dialog.current?.showModal();
    return () => opener?.focus({ preventScroll: true });
  }, []);
  return (
    <dialog
      ref={dialog} className="dialog" aria-label={title} style={{ width }}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div className="dialog-head"><h2 className="grow cut">{title}</h2><IconButton icon="close" label="Close" onClick={onClose} /></div>
      {children}
    </dialog>
  );
}

interface FormProps {
  title: string;
  /** The word on the button that does it. */
  action: string;
  tone?: "main" | "bad";
  /** Does it; what it raises is shown in the dialog, which stays open. */
  onSubmit: () => Promise<unknown> | undefined;
  onClose: () => void;
  disabled?: boolean;
  width?: number;
  children: ReactNode;
}

/** A dialog with fields, a button that does it and one that does not. */
export function FormDialog({ title, action, tone = "main", onSubmit, onClose, disabled, width, children }: FormProps) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    Promise.resolve(onSubmit()).then(onClose, (error: unknown) => {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    });
  };
  return (
    <Dialog title={title} onClose={onClose} width={width}>
      <form onSubmit={submit}>
        <div className="dialog-body stack">
          {children}
          {problem && <p role="alert" className="problem">{problem}</p>}
        </div>
        <div className="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone={tone} disabled={busy || disabled}>{action}</Button>
        </div>
      </form>
    </Dialog>
  );
}

interface FieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  hint?: string;
  placeholder?: string;
  lines?: number;
  focus?: boolean;
  mono?: boolean;
  type?: string;
  required?: boolean;
}

/** A text with its label. */
export function TextField({ label, value, onChange, hint, placeholder, lines, focus, mono, type = "text", required }: FieldProps) {
  const shared = {
    value, placeholder, required, className: mono ? "input mono" : "input", "data-autofocus": focus || undefined,
    ref: (element: HTMLInputElement | HTMLTextAreaElement | null) => {
      if (focus && element && !element.dataset.focused) {
        element.dataset.focused = "1";
        requestAnimationFrame(() => element.focus());
      }
    },
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
  };
  return (
    <label className="field">
      <span className="field-label">{label}</span>
      {lines ? <textarea rows={lines} {...shared} /> : <input type={type} {...shared} />}
      {hint && <span className="soft">{hint}</span>}
    </label>
  );
}

interface SelectProps<T extends string> {
  label: string;
  value: T;
  onChange: (value: T) => void;
  options: readonly (readonly [T, string])[];
  /** Whether the label stands above it or is only said. */
  quiet?: boolean;
}

/** A choice out of a list, the browser's own. */
export function Select<T extends string>({ label, value, onChange, options, quiet }: SelectProps<T>) {
  const select = (
    <select className="input" value={value} aria-label={quiet ? label : undefined} onChange={(event) => onChange(event.target.value as T)}>
      {options.map(([key, name]) => <option key={key} value={key}>{name}</option>)}
    </select>
  );
  return quiet ? select : <label className="field"><span className="field-label">{label}</span>{select}</label>;
}

/** A box to tick, with its words. */
export function Checkbox({ label, checked, onChange }: { label: string; checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <label className="line checkbox">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />{label}
    </label>
  );
}
