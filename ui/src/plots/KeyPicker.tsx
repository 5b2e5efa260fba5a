import { useMemo, useRef, useState } from "react";
import { counted } from "@/base/format";
import { Icon } from "@/parts/Icon";
import { Popover } from "@/parts/Popover";
import { useLines } from "@/parts/window";

export interface Key {
  id: string;
  title: string;
  /** What stands beside it: its kind. */
  detail: string;
}

interface Props {
  /** What is chosen: "X", "Axes". */
  label: string;
  keys: readonly Key[];
  chosen: readonly string[];
  /** Several may be chosen; else a choice closes the list. */
  several?: boolean;
  /** The name of the choice of none; without it there is no such choice. */
  none?: string;
  onChange: (chosen: readonly string[]) => void;
}

const ROW = 28;

/** A button with the chosen columns that opens a list of all of them, with search; 12,000 scroll as 12 do. */
export function KeyPicker({ label, keys, chosen, several, none, onChange }: Props) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const [first] = chosen;
  const shown = several ? counted(chosen.length, "column") : keys.find((key) => key.id === first)?.title ?? first ?? none ?? "choose";
  return (
    <>
      <button ref={button} type="button" className="button key-button" aria-haspopup="listbox" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className="key-name">{label}</span><span className="cut">{shown}</span>
      </button>
      <Popover anchor={button} open={open} onClose={() => setOpen(false)}>
        <List label={label} keys={keys} chosen={chosen} several={several} none={none} onChange={(next) => {
          onChange(next);
          if (!several) setOpen(false);
        }} />
      </Popover>
    </>
  );
}

function List({ label, keys, chosen, several, none, onChange }: Props) {
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const on = useMemo(() => new Set(chosen), [chosen]);
  const found = useMemo(() => {
    const wanted = text.toLowerCase();
    const fitting = keys.filter((key) => key.title.toLowerCase().includes(wanted));
    return none !== undefined && !wanted ? [{ id: "", title: none, detail: "" }, ...fitting] : fitting;
  }, [keys, none, text]);
  const { scroller, lines, show } = useLines(found.length, ROW);
  const go = (to: number) => {
    const next = Math.max(0, Math.min(found.length - 1, to));
    setActive(next);
    show(next);
  };
  const choose = (key: Key | undefined) => {
    if (!key) return;
    if (!several) onChange(key.id ? [key.id] : []);
    else onChange(on.has(key.id) ? chosen.filter((id) => id !== key.id) : [...chosen, key.id]);
  };
  return (
    <div className="key-picker">
      <input
        className="input" role="combobox" aria-label={`Search: ${label}`} aria-expanded="true" aria-controls="key-list" aria-activedescendant={found[active] ? `key-${active}` : undefined}
        placeholder="Part of a name" value={text} spellCheck={false} autoFocus
        onChange={(event) => {
          setText(event.target.value);
          go(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") go(active + 1);
          else if (event.key === "ArrowUp") go(active - 1);
          else if (event.key === "Enter") choose(found[active]);
          else return;
          event.preventDefault();
        }}
      />
      <div ref={scroller} id="key-list" className="key-list scroll" role="listbox" aria-label={label} aria-multiselectable={several} tabIndex={-1}>
        <div style={{ height: found.length * ROW, position: "relative" }} role="presentation">
          {lines.map((index) => {
            const key = found[index];
            return key && (
              <div
                key={key.id} id={`key-${index}`} role="option" aria-selected={on.has(key.id) || (key.id === "" && on.size === 0)} aria-setsize={found.length} aria-posinset={index + 1}
                className={`key-row${index === active ? " active" : ""}`} style={{ transform: `translateY(${index * ROW}px)` }}
                onClick={() => {
                  setActive(index);
                  choose(key);
                }}
              >
                <span className="key-tick">{on.has(key.id) && <Icon name="check" />}</span>
                <span className="grow cut" data-tip={key.title.length > 30 ? key.title : undefined}>{key.title}</span><span className="soft">{key.detail}</span>
              </div>
            );
          })}
        </div>
      </div>
      <span className="soft" role="status">{counted(found.length - (found[0]?.id === "" ? 1 : 0), "column")}</span>
    </div>
  );
}
