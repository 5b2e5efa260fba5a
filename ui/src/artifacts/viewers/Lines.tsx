import { useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode, type RefObject } from "react";

export const LINE = 18;
const AROUND = 20;
const NEAR = 10;
// No browser can make elements taller than this.
const TALLEST = 15_000_000;
export const MOST_LINES = Math.floor(TALLEST / LINE);

interface Props {
  label: string;
  count: number;
  row: (index: number) => ReactNode;
  /** Told which lines are in sight. */
  onSight?: (first: number, last: number) => void;
  onKeyDown?: (event: KeyboardEvent) => void;
  /** The line that is to be in sight; a new object shows it again. */
  shown?: { line: number } | null;
  role?: "region" | "tree";
  active?: string;
}

/** Lines of one height, on the page only while they are in sight. */
export function Lines({ label, count, row, onSight, onKeyDown, shown, role = "region", active }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const [first, last] = useSight(place, count, onSight);
  useLayoutEffect(() => {
    const element = place.current;
    if (!element || !shown) return;
    const top = shown.line * LINE;
    if (top < element.scrollTop || top + LINE > element.scrollTop + element.clientHeight) element.scrollTop = Math.max(0, top - element.clientHeight / 2);
  }, [shown]);
  return (
    <div ref={place} className="lines" role={role} aria-label={label} tabIndex={0} onKeyDown={onKeyDown} aria-activedescendant={active}>
      <div className="lines-size" role="presentation" style={{ height: count * LINE }}>
        <div className="lines-seen" role="presentation" style={{ transform: `translateY(${first * LINE}px)` }}>
          {Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => row(first + at))}
        </div>
      </div>
    </div>
  );
}

function useSight(place: RefObject<HTMLDivElement | null>, count: number, onSight: Props["onSight"]): readonly [number, number] {
  const [sight, setSight] = useState<readonly [number, number]>([0, 60]);
  const told = useRef(onSight);
  useEffect(() => {
    told.current = onSight;
  });
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const look = () => {
      const top = Math.floor(element.scrollTop / LINE);
      const bottom = Math.ceil((element.scrollTop + element.clientHeight) / LINE);
      setSight((before) => (top - NEAR < before[0] || bottom + NEAR > before[1] ? [Math.max(0, top - AROUND), bottom + AROUND] : before));
      told.current?.(top, bottom);
    };
    element.addEventListener("scroll", look, { passive: true });
    // It also tells at once, and again when there are more lines.
    const sized = new ResizeObserver(look);
    sized.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      sized.disconnect();
    };
  }, [place, count]);
  return [sight[0], Math.min(sight[1], count - 1)];
}
