import { useEffect, useRef, type ReactNode } from "react";
import { IconButton } from "@/parts/Button";

interface Props {
  title: ReactNode;
  label: string;
  onClose: () => void;
  actions?: ReactNode;
  children: ReactNode;
}

/** A pane of 420 px at the right over the page, which stays usable beside it. Escape closes it. */
export function Drawer({ title, label, onClose, actions, children }: Props) {
  const close = useRef(onClose);
  useEffect(() => {
    close.current = onClose;
  });
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open], [popover]:popover-open")) {
        event.preventDefault();
        close.current();
      }
    };
    addEventListener("keydown", press, true);
    return () => removeEventListener("keydown", press, true);
  }, []);
  return (
    <aside className="drawer" aria-label={label}>
      <div className="drawer-head">
        <div className="grow cut">{title}</div>{actions}<IconButton icon="close" label="Close" keys="Esc" onClick={onClose} />
      </div>
      <div className="drawer-body scroll" tabIndex={0} role="region" aria-label={`${label}: content`}>{children}</div>
    </aside>
  );
}
