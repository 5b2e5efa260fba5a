import { useState } from "react";
import { call } from "@/api/client";
import { SetModelRule, type ModelRule } from "@/api/schema";
import { refreshModels } from "@/pages/models/actions";
import { Checkbox, FormDialog, Select, TextField } from "@/parts/Dialog";
import { toast } from "@/parts/Toast";

const KINDS = [
  ["metric", "A metric"], ["signature", "A signature that fits"], ["evaluation", "An evaluation"], ["approvals", "Approvals"], ["description", "A description"], ["tag", "A tag"],
] as const;
const MEASURES = [["threshold", "reaches a number"], ["worse", "is not worse than of who holds it"], ["min_absolute_change", "is better by a number"], ["min_relative_change", "is better by a share"]] as const;
const STAGES = ["Staging", "Production", "Archived"];

type Measure = (typeof MEASURES)[number][0];

function measureOf(rule: ModelRule | undefined): Measure {
  return (["threshold", "min_absolute_change", "min_relative_change"] as const).find((field) => rule?.[field] !== undefined && rule[field] !== null) ?? (rule ? "worse" : "threshold");
}

/** A rule to make or to change. */
export function RuleForm({ name: model, rule, metrics, onClose }: { name: string; rule?: ModelRule; metrics: readonly string[]; onClose: () => void }) {
  const [name, setName] = useState(rule?.name ?? "");
  const [kind, setKind] = useState<string>(rule?.kind ?? "metric");
  const [stages, setStages] = useState<ReadonlySet<string>>(new Set(rule ? rule.stages : ["Production"]));
  const [aliases, setAliases] = useState((rule?.aliases ?? []).join(", "));
  const [metric, setMetric] = useState(rule?.metric ?? metrics[0] ?? "");
  const [higher, setHigher] = useState(rule?.greater_is_better ?? true);
  const [measure, setMeasure] = useState<Measure>(measureOf(rule));
  const [amount, setAmount] = useState(String(rule?.[measureOf(rule) as "threshold"] ?? ""));
  const [dataset, setDataset] = useState(rule?.dataset ?? "");
  const [approvals, setApprovals] = useState(String(rule?.approvals ?? 1));
  const [tag, setTag] = useState(rule?.tag ?? "");
  const [value, setValue] = useState(rule?.tag_value ?? "");
  const named = aliases.split(",").map((alias) => alias.trim()).filter(Boolean);
  const wants = kind === "metric" && measure !== "worse";
  const complete = name.trim() && (stages.size || named.length)
    && (kind !== "metric" || (metric.trim() && (!wants || (amount.trim() !== "" && Number.isFinite(Number(amount))))))
    && (kind !== "approvals" || Number(approvals) >= 1) && (kind !== "tag" || tag.trim());
  const submit = async () => {
    const made: ModelRule = {
      name: name.trim(), kind, stages: [...stages], aliases: named,
      ...(kind === "metric" ? { metric: metric.trim(), greater_is_better: higher, ...(wants ? { [measure]: Number(amount) } : {}) } : {}),
      ...((kind === "metric" || kind === "evaluation") && dataset.trim() ? { dataset: dataset.trim() } : {}),
      ...(kind === "approvals" ? { approvals: Number(approvals) } : {}),
      ...(kind === "tag" ? { tag: tag.trim(), ...(value.trim() ? { tag_value: value.trim() } : {}) } : {}),
    };
    await call(SetModelRule, { name: model, rule: made });
    toast(`The rule ${made.name} holds`);
    await refreshModels();
  };
  return (
    <FormDialog title={rule ? `Change the rule ${rule.name}` : "New rule"} action="Save" width={520} disabled={!complete} onSubmit={submit} onClose={onClose}>
      {!rule && <TextField label="Name" value={name} onChange={setName} focus placeholder="good enough" />}
      <Select label="It asks for" value={kind} onChange={setKind} options={KINDS} />
      {kind === "metric" && <>
        {metrics.length ? <Select label="Metric" value={metric} onChange={setMetric} options={[...new Set([...metrics, ...(metric ? [metric] : [])])].map((key) => [key, key] as const)} /> : <TextField label="Metric" value={metric} onChange={setMetric} />}
        <Select label="It" value={measure} onChange={setMeasure} options={MEASURES} />
        {wants && <TextField label={measure === "min_relative_change" ? "Share, as 0.05" : "Number"} value={amount} onChange={setAmount} />}
        <Checkbox label="Higher is better" checked={higher} onChange={setHigher} />
      </>}
      {(kind === "metric" || kind === "evaluation") && <TextField label="Measured on the dataset" value={dataset} onChange={setDataset} hint="Left empty, on any." />}
      {kind === "approvals" && <TextField label="How many others" value={approvals} onChange={setApprovals} type="number" />}
      {kind === "tag" && <><TextField label="Tag" value={tag} onChange={setTag} mono /><TextField label="Value" value={value} onChange={setValue} mono hint="Left empty, any." /></>}
      <fieldset className="rule-stages">
        <legend className="field-label">Before a version moves to</legend>
        <div className="line">{STAGES.map((stage) => <Checkbox key={stage} label={stage} checked={stages.has(stage)} onChange={(on) => setStages(new Set(on ? [...stages, stage] : [...stages].filter((one) => one !== stage)))} />)}</div>
      </fieldset>
      <TextField label="Or gets one of the aliases" value={aliases} onChange={setAliases} placeholder="champion, canary" />
    </FormDialog>
  );
}
