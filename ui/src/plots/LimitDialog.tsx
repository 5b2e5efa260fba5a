import { useState } from "react";
import { exact } from "@/base/format";
import { FormDialog, Select, TextField } from "@/parts/Dialog";
import type { Dimension } from "@/plots/dimension";

interface Props {
  dimension: Dimension;
  range: readonly [number, number] | undefined;
  onLimit: (range: readonly [number, number] | null) => void;
  onClose: () => void;
}

/** What a brush does, by the keyboard and to the digit: from one value to another. */
export function LimitDialog({ dimension, range, onLimit, onClose }: Props) {
  const [low, high] = range ?? dimension.domain ?? [0, 0];
  const isNumber = dimension.kind === "number";
  const last = dimension.categories.length - 1;
  const [from, setFrom] = useState(isNumber ? exact(low) : String(Math.max(0, Math.ceil(low))));
  const [to, setTo] = useState(isNumber ? exact(high) : String(Math.min(last, Math.floor(high))));
  const wrong = from.trim() === "" || to.trim() === "" || !(Number(from) <= Number(to));
  const options = dimension.categories.map((category, at): readonly [string, string] => [String(at), category]);
  return (
    <FormDialog
      title={`Limit ${dimension.title}`} action="Limit" onClose={onClose} disabled={wrong}
      onSubmit={() => {
        onLimit(isNumber ? [Number(from), Number(to)] : [Number(from) - 0.5, Number(to) + 0.5]);
        return undefined;
      }}
    >
      {isNumber ? <><TextField label="From" value={from} onChange={setFrom} focus mono /><TextField label="To" value={to} onChange={setTo} mono /></>
        : <><Select label="From" value={from} onChange={setFrom} options={options} /><Select label="To" value={to} onChange={setTo} options={options} /></>}
      {wrong && <p className="soft">From a value to the same or a higher one.</p>}
    </FormDialog>
  );
}
