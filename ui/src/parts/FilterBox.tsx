import { useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from "react";
import { IconButton } from "@/parts/Button";
import type { Place } from "@/parts/completion";
import type { KeyKind, Vocabulary } from "@/parts/filter";
import { Icon } from "@/parts/Icon";
import { useKeys } from "@/base/keys";

interface Props {
  label: string;
  value: string;
  /** `done` is true for Enter (a step of the browser's history), false while typing. */
  onChange: (value: string, done: boolean) => void;
  vocabulary: Vocabulary;
  /** Keys of a kind that begin with or hold a text, for completion. */
  keysOf?: (kind: KeyKind, text: string) => Promise<readonly string[]>;
  /** What is wrong with the filter, as the server tells it. */
  problem?: string | null;
  placeholder?: string;
}

const MOST = 12;
// Wanted by who types into a filter, so not part of the first page.
const completion = () => import("@/parts/completion");

/** A filter with completion from the grammar. `/` puts the cursor in. It is applied by Enter and when it is left. */
export function FilterBox({ label, value, onChange, vocabulary, keysOf, problem, placeholder }: Props) {
  const [text, setText] = useState(value);
  const [given, setGiven] = useState(value);
  const [shown, setShown] = useState<{ place: Place; words: readonly string[] } | null>(null);
  const [chosen, setChosen] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const asked = useRef(0);
  const cursorAt = useRef<number | null>(null);
  const id = useId();
  if (value !== given) {
    setGiven(value);
    setText(value);
  }
  useLayoutEffect(() => {
    if (cursorAt.current !== null) input.current?.setSelectionRange(cursorAt.current, cursorAt.current);
    cursorAt.current = null;
  }, [text]);
  useKeys([{ keys: "/", what: "Filter", group: "Table", run: () => input.current?.focus() }]);

  const suggest = (next: string, cursor: number) => {
    asked.current += 1;
    const turn = asked.current;
    setChosen(-1);
    // Without an answer there is no completion.
    void completion().then(async ({ keyWord, placeOf }) => {
      const place = placeOf(next, cursor, vocabulary);
      const begun = place.prefix.toLowerCase();
      const words = place.keys && keysOf ? (await keysOf(place.keys.kind, place.keys.before)).map((key) => keyWord(place, key))
        : place.words.filter((word) => word.toLowerCase().startsWith(begun) && word.toLowerCase() !== begun);
      if (turn === asked.current) setShown({ place, words: words.slice(0, MOST) });
    }).catch(() => undefined);
  };
  const choose = async (word: string) => {
    const { completed } = await completion();
    if (!shown || !input.current) return;
    const [next, cursor] = completed(text, input.current.selectionStart ?? text.length, shown.place, word);
    setText(next);
    cursorAt.current = cursor;
    suggest(next, cursor);
  };
  const apply = (next: string, done: boolean) => {
    asked.current += 1;
    setShown(null);
    if (next.trim() !== value) onChange(next.trim(), done);
  };
  const open = shown !== null && shown.words.length > 0;
  const press = (event: KeyboardEvent) => {
    const words = open ? shown.words : [];
    if (event.key === "ArrowDown" && words.length) setChosen((chosen + 1) % words.length);
    else if (event.key === "ArrowDown" && input.current) suggest(text, input.current.selectionStart ?? text.length);
    else if (event.key === "ArrowUp" && words.length) setChosen((chosen - 1 + words.length) % words.length);
    else if ((event.key === "Enter" || event.key === "Tab") && words[chosen] !== undefined) void choose(words[chosen]);
    else if (event.key === "Enter") apply(text, true);
    else if (event.key === "Escape" && open) setShown(null);
    else if (event.key === "Escape") input.current?.blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="filter-box">
      <Icon name="filter" />
      <input
        ref={input} className={`input mono${problem ? " wrong" : ""}`} role="combobox" aria-label={label} aria-expanded={open} aria-autocomplete="list"
        aria-controls={open ? `${id}-list` : undefined} aria-activedescendant={open && chosen >= 0 ? `${id}-${chosen}` : undefined}
        aria-invalid={problem ? true : undefined} aria-describedby={problem ? `${id}-problem` : undefined}
        spellCheck={false} autoComplete="off" placeholder={placeholder} value={text}
        onChange={(event) => {
          setText(event.target.value);
          suggest(event.target.value, event.target.selectionStart ?? event.target.value.length);
        }}
        onKeyDown={press} onFocus={() => void completion().catch(() => undefined)} onBlur={() => apply(text, true)}
      />
      {text !== "" && <IconButton icon="close" label="Clear the filter" onClick={() => {
        setText("");
        apply("", true);
      }} />}
      {open && (
        <ul id={`${id}-list`} role="listbox" aria-label="Completions" className="completions">
          {shown.words.map((word, at) => (
            <li
              key={word} id={`${id}-${at}`} role="option" aria-selected={at === chosen} className="mono cut"
              onMouseDown={(event) => {
                event.preventDefault();
                void choose(word);
              }}
            >{word}</li>
          ))}
        </ul>
      )}
      {problem && <p id={`${id}-problem`} className="filter-problem" role="alert">{problem}</p>}
    </div>
  );
}
