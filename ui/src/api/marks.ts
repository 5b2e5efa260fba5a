// Which change was the last one, when: what a page shows was read some time before its stream of changes opens.

/** Nothing that a page shows at first was read longer ago: how long answers are kept for the next page. */
const KEPT_MS = 60_000;

export class Marks {
  readonly #marks: { seq: number; at: number }[] = [];

  /** `first` is the number that was the last one before anything was read, if that is known. */
  constructor(first: number | null) {
    if (first !== null) this.#marks.push({ seq: first, at: -Infinity });
  }

  /** At this time, in milliseconds, everything up to `seq` was known. */
  put(seq: number, at: number): void {
    this.#marks.push({ seq, at });
    while ((this.#marks[1]?.at ?? Infinity) <= at - KEPT_MS) this.#marks.shift();
  }

  /** The number from which a stream has to go on that opens now; null if none is known. */
  before(now: number): number | null {
    const old = this.#marks.findLast(({ at }) => at <= now - KEPT_MS);
    return (old ?? this.#marks[0])?.seq ?? null;
  }
}
