import { useDeferredValue, useState } from "react";
import type { Run } from "@/api/schema";
import { counted } from "@/base/format";
import { Button, CopyButton } from "@/parts/Button";
import { Checkbox } from "@/parts/Dialog";
import { KeyName } from "@/parts/Values";

const STEP = 200;

/** Parameters with their values, beside those of another run if there is one. */
export function Params({ run, other }: { run: Run; other: Run | undefined }) {
  const [text, setText] = useState("");
  const [different, setDifferent] = useState(false);
  const [shown, setShown] = useState(STEP);
  const search = useDeferredValue(text).toLowerCase();
  const own = new Map((run.data?.params ?? []).map(({ key, value }) => [key, value]));
  const others = new Map((other?.data?.params ?? []).map(({ key, value }) => [key, value]));
  const keys = [...new Set([...own.keys(), ...others.keys()])].sort();
  const found = keys.filter((key) => `${key} ${own.get(key) ?? ""}`.toLowerCase().includes(search)
    && (!different || !other || own.get(key) !== others.get(key)));
  if (keys.length === 0) return <section className="stack"><h2>Parameters</h2><p className="soft">None were logged.</p></section>;
  return (
    <section className="stack">
      <div className="line">
        <h2 className="grow">Parameters <span className="soft">{found.length < keys.length ? `${found.length} of ${keys.length}` : keys.length}</span></h2>
        {other && <Checkbox label="Only differences" checked={different} onChange={setDifferent} />}
        <CopyButton label="Copy the parameters as JSON" text={() => JSON.stringify(Object.fromEntries(found.map((key) => [key, own.get(key)])), null, 2)} />
      </div>
      <input className="input" type="search" aria-label="Filter parameters" placeholder="Part of a name or value" value={text} onChange={(event) => setText(event.target.value)} />
      <table className="facts-table run-params">
        <thead className={other ? undefined : "unseen"}><tr><th>Parameter</th><th>{other ? run.info.run_name ?? "This run" : "Value"}</th>{other && <th>{other.info.run_name ?? "The other"}</th>}</tr></thead>
        <tbody>
          {found.slice(0, shown).map((key) => (
            <tr key={key} className={other && own.get(key) !== others.get(key) ? "differs" : undefined}>
              <td><KeyName>{key}</KeyName></td><td className="mono">{own.get(key)}</td>{other && <td className="mono">{others.get(key)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {found.length === 0 && <p className="soft">{different ? "No parameter differs." : "No parameter is like that."}</p>}
      {found.length > shown && <Button className="small" onClick={() => setShown(shown + STEP)}>{counted(found.length - shown, "more parameter")}</Button>}
    </section>
  );
}
