import { keepPreviousData } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useRef, useState, type KeyboardEvent } from "react";
import { useOperation } from "@/api/queries";
import { FindByName } from "@/api/schema";
import { ago } from "@/base/format";
import { shownKeys, useShortcuts } from "@/base/keys";
import { path, useGo } from "@/frame/router";
import { Icon, type IconName } from "@/parts/Icon";

interface Choice {
  id: string;
  name: string;
  icon: IconName;
  detail: string;
  keys: string;
  run: () => void;
}

const KINDS: Record<string, { icon: IconName; name: string; to: (id: string) => string }> = {
  experiment: { icon: "experiment", name: "Experiment", to: (id) => path`/exp/${id}` },
  run: { icon: "chart", name: "Run", to: (id) => path`/run/${id}` },
  registered_model: { icon: "model", name: "Model", to: (id) => path`/models/${id}` },
};
const MOST = 10;

/** Everything by its name: experiments, runs and models, by name or id, and every command of the page. `typed` is there already. */
export default function CommandPalette({ typed, onClose }: { typed: string; onClose: () => void }) {
  const [given, setText] = useState<string | null>(null);
  const text = given ?? typed;
  const [chosen, setChosen] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  const go = useGo();
  const shortcuts = useShortcuts();
  const wanted = useDeferredValue(text.trim());
  const found = useOperation(FindByName, wanted ? { text: wanted, limit: MOST } : null, { placeholderData: keepPreviousData });
  useEffect(() => {
    const opener = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    dialog.current?.showModal();
    return () => opener?.focus({ preventScroll: true });
  }, []);
  const named = new Set<string>();
  const commands: Choice[] = shortcuts.filter(({ what, keys }) => {
    if (keys === "Mod+k" || named.has(what)) return false;
    named.add(what);
    return what.toLowerCase().includes(text.trim().toLowerCase());
  }).map(({ what, group, keys, run }) => ({
    id: `command ${what}`, name: what, icon: "chevronRight", detail: group, keys, run: () => run(new KeyboardEvent("keydown")),
  }));
  const things: Choice[] = (wanted ? found.data?.found ?? [] : []).map(({ kind, id, name, time }) => {
    const known = KINDS[kind];
    return {
      id: `${kind} ${id}`, name: name ?? id, icon: known?.icon ?? "file", detail: [known?.name ?? kind, ago(time)].filter(Boolean).join(", "), keys: "",
      run: () => go(known?.to(id) ?? "/"),
    };
  });
  const choices = [...things, ...commands];
  const at = Math.min(chosen, choices.length - 1);
  const take = (choice: Choice | undefined) => {
    if (!choice) return;
    onClose();
    choice.run();
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setChosen((at + 1) % Math.max(1, choices.length));
    else if (event.key === "ArrowUp") setChosen((at - 1 + choices.length) % Math.max(1, choices.length));
    else if (event.key === "Enter") take(choices[at]);
    else return;
    event.preventDefault();
  };
  useEffect(() => {
    document.getElementById(`palette-${at}`)?.scrollIntoView({ block: "nearest" });
  }, [at]);
  return (
    <dialog
      ref={dialog} className="dialog palette" aria-label="Commands and search"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <input
        className="input" role="combobox" aria-label="Search and commands" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list"
        aria-activedescendant={choices.length ? `palette-${at}` : undefined} placeholder="A name, an id, or what to do" value={text} spellCheck={false}
        onChange={(event) => {
          setText(event.target.value);
          setChosen(0);
        }}
        onKeyDown={press}
      />
      <ul id="palette-list" role="listbox" aria-label="Found" className="palette-list" tabIndex={-1}>
        {choices.map((choice, index) => (
          <li
            key={choice.id} id={`palette-${index}`} role="option" aria-selected={index === at}
            onMouseMove={() => setChosen(index)} onClick={() => take(choice)}
          >
            <Icon name={choice.icon} /><span className="grow cut">{choice.name}</span><span className="soft">{choice.detail}</span>
            {choice.keys && <kbd>{shownKeys(choice.keys)}</kbd>}
          </li>
        ))}
        {choices.length === 0 && <li role="option" aria-selected="false" aria-disabled="true" className="soft">Nothing has this name.</li>}
      </ul>
    </dialog>
  );
}
