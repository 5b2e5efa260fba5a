// Which runs are selected: some by their ids, or all of the table but some.
import { useCallback, useMemo, useState } from "react";

interface All {
  /** The table that all of is selected. */
  of: string;
  except: ReadonlySet<string>;
}

export interface Selection {
  /** The selected ones of the loaded rows; with ids alone, all that are selected. */
  rows: ReadonlySet<string>;
  /** How many runs are selected. */
  size: number;
  everything: boolean;
  /** Of everything, those that are not. */
  except: ReadonlySet<string>;
  select: (next: ReadonlySet<string>) => void;
  all: () => void;
  clear: () => void;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * `of` names the table: when it changes, all of another one is no longer selected. `loaded` gives the ids of the rows
 * that are there, `version` changes with them, `matched` is how many runs the table is made of.
 */
export function useSelection(
  first: readonly string[], of: string, loaded: () => readonly string[], version: string, matched: number, onChange: (ids: ReadonlySet<string>) => void,
): Selection {
  const [ids, setIds] = useState<ReadonlySet<string>>(() => new Set(first));
  const [every, setEvery] = useState<All | null>(null);
  const all = every?.of === of ? every : null;
  const rows = useMemo(
    () => (all ? new Set(loaded().filter((id) => !all.except.has(id))) : ids),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `version` stands for what `loaded` gives
    [all, ids, version],
  );
  const keep = useCallback((next: ReadonlySet<string>) => {
    setEvery(null);
    setIds(next);
    onChange(next);
  }, [onChange]);
  const select = useCallback((next: ReadonlySet<string>) => {
    if (!all || next.size === 0) {
      keep(next);
      return;
    }
    setEvery({ of: all.of, except: withoutUnticked(all.except, loaded(), next) });
  }, [all, keep, loaded]);
  return {
    rows, everything: all !== null, except: all?.except ?? NONE, size: all ? Math.max(0, matched - all.except.size) : ids.size, select,
    all: () => {
      setIds(NONE);
      onChange(NONE);
      setEvery({ of, except: NONE });
    },
    clear: () => keep(NONE),
  };
}

/** What is left out of everything once the loaded rows are ticked as in `ticked`. */
export function withoutUnticked(except: ReadonlySet<string>, loaded: readonly string[], ticked: ReadonlySet<string>): ReadonlySet<string> {
  const there = new Set(loaded);
  return new Set([...[...except].filter((id) => !there.has(id)), ...loaded.filter((id) => !ticked.has(id))]);
}
