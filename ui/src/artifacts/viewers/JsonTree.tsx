import { useDeferredValue, useId, useMemo, useState, type KeyboardEvent } from "react";
import { counted } from "@/base/format";
import { above, find, linesOf, openAtFirst, preview, type Json, type TreeLine } from "@/artifacts/json";
import { Lines } from "@/artifacts/viewers/Lines";
import { Button } from "@/parts/Button";
import { Icon } from "@/parts/Icon";

const LONGEST = 400;

/** A value as a tree whose branches are made when they are opened, with a search. */
export function JsonTree({ label, value }: { label: string; value: Json }) {
  const id = useId();
  const [open, setOpen] = useState(() => openAtFirst(value));
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const [shown, setShown] = useState<{ line: number } | null>(null);
  const search = useDeferredValue(text.trim().toLowerCase());
  const found = useMemo(() => find(value, search), [value, search]);
  const marked = useMemo(() => new Set(found), [found]);
  const lines = useMemo(() => linesOf(value, open), [value, open]);
  const [turn, setTurn] = useState(-1);
  const go = (index: number) => {
    const next = Math.max(0, Math.min(lines.length - 1, index));
    setActive(next);
    setShown({ line: next });
  };
  const toggle = (line: TreeLine, on: boolean) => {
    const next = new Set(open);
    if (on) next.add(line.path);
    else next.delete(line.path);
    setOpen(next);
  };
  const seek = (step: number) => {
    if (found.length === 0) return;
    const at = (turn + step + found.length) % found.length;
    setTurn(at);
    const path = found[at] ?? "";
    const opened = new Set([...open, ...above(path)]);
    setOpen(opened);
    const index = linesOf(value, opened).findIndex((line) => line.path === path);
    setActive(index);
    setShown({ line: index });
  };
  const press = (event: KeyboardEvent) => {
    const line = lines[active];
    if (!line) return;
    const page = 20;
    const moves: Record<string, number> = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: lines.length - 1 };
    const move = moves[event.key];
    if (move !== undefined) go(move);
    else if (event.key === "ArrowRight" && line.size !== null && !line.open) toggle(line, true);
    else if (event.key === "ArrowRight") go(active + 1);
    else if (event.key === "ArrowLeft" && line.open) toggle(line, false);
    else if (event.key === "ArrowLeft") go(lines.findLastIndex((other, at) => at < active && other.depth < line.depth));
    else if ((event.key === "Enter" || event.key === " ") && line.size !== null) toggle(line, !line.open);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <>
      <div className="artifacts-bar">
        <input
          className="input" type="search" aria-label="Search keys and values" placeholder="Search keys and values" value={text}
          onChange={(event) => {
            setText(event.target.value);
            setTurn(-1);
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            seek(event.shiftKey ? -1 : 1);
          }}
        />
        {search && <span className="soft" role="status">{found.length === 0 ? "Nothing found" : turn < 0 ? counted(found.length, "match", "matches") : `${turn + 1} of ${found.length}`}</span>}
        {found.length > 0 && <Button icon="arrowDown" onClick={() => seek(1)}>Next</Button>}
      </div>
      <Lines
        role="tree" label={label} count={lines.length} shown={shown} onKeyDown={press} active={lines[active] ? `${id}-${active}` : undefined}
        row={(index) => {
          const line = lines[index];
          return line && (
            <div
              key={index} id={`${id}-${index}`} role="treeitem" aria-level={line.depth + 1} aria-expanded={line.size === null ? undefined : line.open} aria-selected={index === active}
              className={`lines-row json-row${index === active ? " active" : ""}${marked.has(line.path) ? " found" : ""}`} style={{ paddingLeft: 8 + line.depth * 16 }}
              onClick={() => {
                setActive(index);
                if (line.size !== null) toggle(line, !line.open);
              }}
            >
              <span className="json-twist">{line.size !== null && line.size > 0 && <Icon name={line.open ? "chevronDown" : "chevronRight"} />}</span>
              <span className="json-text">{line.key !== null && <span className="json-key">{line.key}: </span>}<Value line={line} /></span>
            </div>
          );
        }}
      />
    </>
  );
}

function Value({ line: { value, size, open } }: { line: TreeLine }) {
  const inside = size === null || open ? "" : preview(value);
  if (Array.isArray(value)) return <span className="json-count">[{inside || (size === 0 ? "" : counted(size ?? 0, "entry", "entries"))}]</span>;
  if (typeof value === "object" && value !== null) return <span className="json-count">{"{"}{inside || (size === 0 ? "" : counted(size ?? 0, "key"))}{"}"}</span>;
  if (typeof value === "string") return <span className="json-string" data-tip={value.length > LONGEST ? `${value.length} characters` : undefined}>{JSON.stringify(value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value)}</span>;
  return <span className={typeof value === "number" ? "json-number" : "json-other"}>{String(value)}</span>;
}
