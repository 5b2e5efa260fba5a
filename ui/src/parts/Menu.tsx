import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode, type RefObject } from "react";
import { Icon, type IconName } from "@/parts/Icon";
import { Popover } from "@/parts/Popover";

export interface MenuItem {
  label: string;
  run: () => void;
  icon?: IconName;
  /** A key that does the same. */
  keys?: string;
  tone?: "bad";
  disabled?: boolean;
  /** Set for items that are on or off. */
  checked?: boolean;
  /** A line above it; a text is the heading of what follows. */
  section?: string | true;
}

interface MenuProps {
  label: string;
  items: readonly MenuItem[];
  anchor: RefObject<HTMLElement | null> | { x: number; y: number };
  open: boolean;
  onClose: () => void;
  align?: "start" | "end";
}

/** The list itself, for what opens it in a way of its own (a header, a right click). */
export function Menu({ label, items, anchor, open, onClose, align }: MenuProps) {
  return (
    <Popover anchor={anchor} open={open} onClose={onClose} align={align} className="menu">
      <Items label={label} items={items} onClose={onClose} />
    </Popover>
  );
}

function Items({ label, items, onClose }: Pick<MenuProps, "label" | "items" | "onClose">) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    focusBy(list.current, 0, 0);
  }, []);
  const press = (event: KeyboardEvent) => {
    const steps: Record<string, [number, number | null]> = {
      ArrowDown: [1, null], ArrowUp: [-1, null], Home: [0, 0], End: [0, -1],
    };
    const step = steps[event.key];
    if (step) {
      event.preventDefault();
      focusBy(list.current, step[0], step[1]);
    } else if (event.key === "Tab") {
      event.preventDefault();
      onClose();
    }
  };
  return (
    <div role="menu" aria-label={label} ref={list} onKeyDown={press}>
      {items.map((item) => (
        <div key={item.label} role="none">
          {item.section && <div className="menu-section" role="separator" aria-label={item.section === true ? undefined : item.section}>
            {item.section === true ? null : item.section}
          </div>}
          <button
            type="button" className={`menu-item${item.tone ? ` ${item.tone}` : ""}`} disabled={item.disabled} tabIndex={-1}
            role={item.checked === undefined ? "menuitem" : "menuitemcheckbox"} aria-checked={item.checked}
            onClick={() => {
              onClose();
              item.run();
            }}
          >
            <span className="menu-icon">
              {item.checked ? <Icon name="check" /> : item.icon ? <Icon name={item.icon} /> : null}
            </span>
            <span className="grow cut">{item.label}</span>
            {item.keys && <kbd>{item.keys}</kbd>}
          </button>
        </div>
      ))}
    </div>
  );
}

function focusBy(list: HTMLElement | null, step: number, from: number | null): void {
  const buttons = [...(list?.querySelectorAll<HTMLButtonElement>("button:not(:disabled)") ?? [])];
  if (!buttons.length) return;
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  const next = from === null ? (at + step + buttons.length) % buttons.length : (from + buttons.length) % buttons.length;
  buttons[next]?.focus();
}

interface MenuButtonProps {
  label: string;
  items: readonly MenuItem[] | (() => readonly MenuItem[]);
  icon?: IconName;
  align?: "start" | "end";
  className?: string;
  /** What the button shows; without it, only the icon. */
  children?: ReactNode;
}

/** A button that opens a menu. */
export function MenuButton({ label, items, icon, align = "end", className, children }: MenuButtonProps) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button
        ref={button} type="button" className={`button${children ? "" : " bare"}${className ? ` ${className}` : ""}`}
        aria-haspopup="menu" aria-expanded={open} aria-label={children ? undefined : label} data-tip={children ? undefined : label}
        onClick={(event) => {
          event.stopPropagation();
          setOpen(!open);
        }}
      >
        {(icon ?? !children) && <Icon name={icon ?? "menu"} />}
        {children}
      </button>
      {open && (
        <Menu
          label={label} items={typeof items === "function" ? items() : items} anchor={button} open align={align}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  );
}
