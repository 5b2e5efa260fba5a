// Which header is looked at: only after a moment, so that a pointer on its way opens nothing.
import { useCallback, useEffect, useRef, useState } from "react";

interface Looked {
  column: string;
  at: DOMRect;
}

const SETTLED_MS = 350;

export function useLooked(): [Looked | null, (column: string | null, at?: DOMRect) => void] {
  const [looked, setLooked] = useState<Looked | null>(null);
  const timer = useRef(0);
  const look = useCallback((column: string | null, at?: DOMRect) => {
    clearTimeout(timer.current);
    setLooked(null);
    if (column !== null && at) timer.current = window.setTimeout(() => setLooked({ column, at }), SETTLED_MS);
  }, []);
  useEffect(() => {
    const stop = () => look(null);
    addEventListener("pointerdown", stop, true);
    addEventListener("scroll", stop, true);
    return () => {
      clearTimeout(timer.current);
      removeEventListener("pointerdown", stop, true);
      removeEventListener("scroll", stop, true);
    };
  }, [look]);
  return [looked, look];
}
