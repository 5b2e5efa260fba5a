// One tooltip for the page: whatever carries data-tip (and data-keys) has one, by pointer and by keyboard.
import { useEffect, useRef, useState } from "react";

const DELAY_MS = 350;
const GAP = 6;

interface Tip {
  text: string;
  keys: string | undefined;
  rect: DOMRect;
}

/** Rendered once, by the frame. */
export function Tooltip() {
  const [tip, setTip] = useState<Tip | null>(null);
  const layer = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let timer = 0;
    const hide = () => {
      clearTimeout(timer);
      setTip(null);
    };
    const show = (event: Event) => {
      const owner = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-tip]") : null;
      hide();
      if (!owner?.dataset.tip || (event.type === "focusin" && !owner.matches(":focus-visible"))) return;
      timer = window.setTimeout(() => {
        if (owner.isConnected) setTip({ text: owner.dataset.tip ?? "", keys: owner.dataset.keys, rect: owner.getBoundingClientRect() });
      }, DELAY_MS);
    };
    const shows = ["pointerover", "focusin"];
    const hides = ["pointerdown", "keydown", "focusout", "scroll"];
    for (const name of shows) addEventListener(name, show);
    for (const name of hides) addEventListener(name, hide, true);
    return () => {
      for (const name of shows) removeEventListener(name, show);
      for (const name of hides) removeEventListener(name, hide, true);
      clearTimeout(timer);
    };
  }, []);
  useEffect(() => {
    const element = layer.current;
    if (!element || !tip) return;
    element.showPopover();
    const left = tip.rect.left + tip.rect.width / 2 - element.offsetWidth / 2;
    const below = tip.rect.bottom + GAP;
    element.style.left = `${Math.max(GAP, Math.min(innerWidth - element.offsetWidth - GAP, left))}px`;
    element.style.top = `${below + element.offsetHeight < innerHeight ? below : tip.rect.top - element.offsetHeight - GAP}px`;
  }, [tip]);
  if (!tip) return null;
  return <div ref={layer} popover="manual" className="tooltip" role="tooltip">{tip.text}{tip.keys && <kbd>{tip.keys}</kbd>}</div>;
}
