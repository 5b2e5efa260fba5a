import { useMemo, useState } from "react";
import { useOperation } from "@/api/queries";
import { ListColumns } from "@/api/schema";
import { counted, number } from "@/base/format";
import { ATTRIBUTE_KEYS, kindOf, titleOf } from "@/pages/runs/state";
import { Button, IconButton } from "@/parts/Button";
import { Checkbox, Dialog } from "@/parts/Dialog";
import { Icon } from "@/parts/Icon";
import { Loaded } from "@/parts/States";
import { useLines } from "@/parts/window";

interface Props {
  experimentIds: readonly string[];
  shown: readonly string[];
  onChange: (columns: readonly string[]) => void;
  /** Goes back to the columns that the page chooses. */
  onReset: () => void;
  onClose: () => void;
}

interface Choice {
  id: string;
  title: string;
  kind: string;
  detail: string;
  varies: boolean;
}

const ROW = 28;

/** Every column there is, with search by text or regular expression; 12,000 of them scroll as 12 do. */
export default function ColumnPicker({ experimentIds, shown, onChange, onReset, onClose }: Props) {
  const columns = useOperation(ListColumns, { experiment_ids: [...experimentIds] }, { staleTime: 30_000 });
  return (
    <Dialog title="Columns" onClose={onClose} width={620}>
      <Loaded query={columns} what="The columns">{(data) => {
        const choices: Choice[] = [
          ...ATTRIBUTE_KEYS.map((key) => ({ id: `attributes.${key}`, title: titleOf(`attributes.${key}`), kind: "attribute", detail: "", varies: true })),
          ...(data.columns ?? []).filter((column) => !column.key.startsWith("mlflow.")).map((column) => ({
            id: `${kindOf(column.kind)}.${column.key}`, title: column.key, kind: column.kind, varies: column.distinct > 1,
            detail: [counted(column.count, "run"), column.min !== undefined && column.min !== null && column.max !== undefined && column.max !== null ? `${number(column.min, 3)} to ${number(column.max, 3)}` : column.distinct > 1 ? "" : "one value"].filter(Boolean).join(", "),
          })),
        ];
        return <Choices choices={choices} shown={shown} onChange={onChange} onReset={onReset} />;
      }}</Loaded>
    </Dialog>
  );
}

function Choices({ choices, shown, onChange, onReset }: Pick<Props, "shown" | "onChange" | "onReset"> & { choices: readonly Choice[] }) {
  const [text, setText] = useState("");
  const [regex, setRegex] = useState(false);
  const [onlyShown, setOnlyShown] = useState(false);
  const [active, setActive] = useState(0);
  const on = useMemo(() => new Set(shown), [shown]);
  const { found, problem } = useMemo(() => search(choices, text, regex), [choices, text, regex]);
  const listed = onlyShown ? found.filter((choice) => on.has(choice.id)) : found;
  const { scroller, lines, show } = useLines(listed.length, ROW);
  const toggle = (choice: Choice | undefined) => {
    if (choice) onChange(on.has(choice.id) ? shown.filter((id) => id !== choice.id) : [...shown, choice.id]);
  };
  const go = (to: number) => {
    const next = Math.max(0, Math.min(listed.length - 1, to));
    setActive(next);
    show(next);
  };
  return (
    <div className="picker">
      <div className="line picker-head">
        <input
          className="input" aria-label="Search columns" placeholder={regex ? "A regular expression" : "Part of a name"} value={text} spellCheck={false} autoFocus
          aria-invalid={problem ? true : undefined}
          onChange={(event) => {
            setText(event.target.value);
            go(0);
          }}
          onKeyDown={(event) => {
            if (event.key === "ArrowDown") scroller.current?.focus();
          }}
        />
        <Button pressed={regex} tip="Regular expression" onClick={() => setRegex(!regex)} className="mono">.*</Button>
      </div>
      {problem && <p className="problem" role="alert">{problem}</p>}
      <div className="line picker-head">
        <span className="soft grow" role="status">{counted(listed.length, "column")}, {on.size} shown</span>
        <Checkbox label="Only those shown" checked={onlyShown} onChange={setOnlyShown} />
        <Button className="small" onClick={() => onChange([...shown, ...listed.filter((choice) => !on.has(choice.id)).map((choice) => choice.id)])}>Show all {text ? "found" : ""}</Button>
        <Button className="small" onClick={() => onChange(shown.filter((id) => !listed.some((choice) => choice.id === id)))}>Hide all {text ? "found" : ""}</Button>
        <Button className="small" onClick={onReset}>Reset</Button>
      </div>
      <div
        ref={scroller} className="picker-list scroll" role="listbox" aria-label="Columns" aria-multiselectable="true" tabIndex={0}
        aria-activedescendant={listed[active] ? `column-${active}` : undefined}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") go(active + 1);
          else if (event.key === "ArrowUp") go(active - 1);
          else if (event.key === " " || event.key === "Enter") toggle(listed[active]);
          else return;
          event.preventDefault();
        }}
      >
        <div style={{ height: listed.length * ROW, position: "relative" }} role="presentation">
          {lines.map((index) => {
            const choice = listed[index];
            return choice && (
              <div
                key={choice.id} id={`column-${index}`} role="option" aria-selected={on.has(choice.id)} aria-setsize={listed.length} aria-posinset={index + 1}
                className={`picker-row${index === active ? " active" : ""}`} style={{ transform: `translateY(${index * ROW}px)` }}
                onClick={() => {
                  setActive(index);
                  toggle(choice);
                }}
              >
                <span className="picker-tick">{on.has(choice.id) && <Icon name="check" />}</span>
                <span className="grow cut" data-tip={choice.title.length > 46 ? choice.title : undefined}>{choice.title}</span>
                <span className="soft">{choice.detail}</span><span className="soft picker-kind">{choice.kind}</span>
              </div>
            );
          })}
        </div>
      </div>
      <Order shown={shown} onChange={onChange} />
    </div>
  );
}

/** The order of the shown columns: the active one is moved. */
function Order({ shown, onChange }: Pick<Props, "shown" | "onChange">) {
  const [chosen, setChosen] = useState("");
  const at = shown.indexOf(chosen);
  const move = (by: number) => {
    const next = [...shown];
    const [taken] = next.splice(at, 1);
    if (taken !== undefined) next.splice(Math.max(0, at + by), 0, taken);
    onChange(next);
  };
  return (
    <div className="line picker-head">
      <select className="input grow" aria-label="Column to move" value={chosen} onChange={(event) => setChosen(event.target.value)}>
        <option value="">Move a column…</option>
        {shown.map((id) => <option key={id} value={id}>{titleOf(id)}</option>)}
      </select>
      <IconButton icon="chevronLeft" label="Move to the left" disabled={at <= 0} onClick={() => move(-1)} />
      <IconButton icon="chevronRight" label="Move to the right" disabled={at < 0 || at >= shown.length - 1} onClick={() => move(1)} />
    </div>
  );
}

function search(choices: readonly Choice[], text: string, regex: boolean): { found: readonly Choice[]; problem: string | null } {
  if (!text) return { found: choices, problem: null };
  if (!regex) {
    const wanted = text.toLowerCase();
    return { found: choices.filter((choice) => choice.title.toLowerCase().includes(wanted)), problem: null };
  }
  try {
    const expression = new RegExp(text, "i");
    return { found: choices.filter((choice) => expression.test(choice.title)), problem: null };
  } catch (error) {
    return { found: choices, problem: error instanceof Error ? error.message : String(error) };
  }
}
