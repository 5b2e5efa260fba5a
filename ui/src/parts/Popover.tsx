// A floating layer beside what opened it, in the browser's top layer: it closes by Escape and a click elsewhere.
import { useEffect, useId, useLayoutEffect, useRef, type ReactNode, type RefObject } from "react";

const GAP = 4;

interface Props {
  anchor: RefObject<HTMLElement | null> | { x: number; y: number };
  open: boolean;
  onClose: () => void;
  /** Which of its edges lies at the anchor's. */
  align?: "start" | "end";
  className?: string;
  children: ReactNode;
}

export function Popover({ anchor, open, ...rest }: Props) {
  return open ? <Open anchor={anchor} open {...rest} /> : null;
}

function Open({ anchor, onClose, align = "start", className, children }: Props) {
  const layer = useRef<HTMLDivElement>(null);
  const id = useId();
  const close = useRef(onClose);
  useEffect(() => {
    close.current = onClose;
  });
  useLayoutEffect(() => {
    const element = layer.current;
    if (!element) return;
    const opener = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    element.showPopover();
    place(element, anchor, align);
    const seen = new ResizeObserver(() => place(element, anchor, align));
    seen.observe(element);
    const toggled = (event: ToggleEvent) => {
      if (event.newState === "closed") close.current();
    };
    element.addEventListener("toggle", toggled);
    return () => {
      seen.disconnect();
      element.removeEventListener("toggle", toggled);
      const within = element.contains(document.activeElement) || document.activeElement === document.body;
      if (within) opener?.focus({ preventScroll: true });
    };
  }, [anchor, align]);
  return (
    <div
      ref={layer} id={id} popover="auto" className={`popover${className ? ` ${className}` : ""}`}
      onClick={(event) => event.stopPropagation()} onKeyDown={(event) => event.stopPropagation()}
    >
      {children}
    </div>
  );
}

function place(layer: HTMLElement, anchor: Props["anchor"], align: "start" | "end"): void {
  const rect = "current" in anchor ? anchor.current?.getBoundingClientRect() : new DOMRect(anchor.x, anchor.y, 0, 0);
  if (!rect) return;
  const { offsetWidth: width, offsetHeight: height } = layer;
  const below = rect.bottom + GAP;
  const fits = below + height <= innerHeight - GAP;
  const top = fits ? below : Math.max(GAP, Math.min(innerHeight - height - GAP, rect.top - height - GAP));
  const wanted = align === "start" ? rect.left : rect.right - width;
  layer.style.top = `${top}px`;
  layer.style.left = `${Math.max(GAP, Math.min(innerWidth - width - GAP, wanted))}px`;
}
