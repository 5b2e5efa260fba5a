import { useState } from "react";
import { call } from "@/api/client";
import { useOperation } from "@/api/queries";
import { CheckTransition, DeleteModelRule, ListModelRules, SetModelRule, type ModelRule, type ModelVersion } from "@/api/schema";
import { Verdicts } from "@/pages/model/stages";
import { RuleForm } from "@/pages/model/RuleForm";
import { ruleText } from "@/pages/model/sentences";
import { refreshModels } from "@/pages/models/actions";
import { Button, IconButton } from "@/parts/Button";
import { Select } from "@/parts/Dialog";
import { Card, Empty, Loaded } from "@/parts/States";
import { toast, toastError } from "@/parts/Toast";
import { Chip, Mark } from "@/parts/Values";

/** What versions of a model must meet before they move, and how one of them stands to it. */
export function Rules({ name, versions, metrics }: { name: string; versions: readonly ModelVersion[]; metrics: readonly string[] }) {
  const query = useOperation(ListModelRules, { name });
  const [edited, setEdited] = useState<ModelRule | "new" | null>(null);
  const [chosen, setChosen] = useState("");
  const version = chosen || versions[0]?.version;
  return (
    <div className="stack pane">
      <div><Button icon="add" onClick={() => setEdited("new")}>New rule</Button></div>
      <Loaded query={query} what="The rules">
        {({ rules = [] }) => (rules.length === 0
          ? <Empty title="There are no rules: a version moves to any stage, an alias to any version. A rule can ask for a metric, a signature that fits, an evaluation, approvals, a description or a tag." />
          : <>
            <table className="facts-table" aria-label="Rules">
              <thead><tr><th>Rule</th><th>What it asks for</th><th>Before a version gets</th><th><span className="unseen">Actions</span></th></tr></thead>
              <tbody>
                {rules.map((rule) => (
                  <tr key={rule.name}>
                    <td>{rule.name}</td><td>{ruleText(rule)}</td>
                    <td><span className="chips">{(rule.stages ?? []).map((stage) => <Chip key={stage}>{stage}</Chip>)}{(rule.aliases ?? []).map((alias) => <Chip key={`@${alias}`} icon="alias">{alias}</Chip>)}</span></td>
                    <td className="number"><IconButton icon="edit" label={`Change the rule ${rule.name}`} onClick={() => setEdited(rule)} /><IconButton icon="trash" label={`Remove the rule ${rule.name}`} onClick={() => void remove(name, rule)} /></td>
                  </tr>
                ))}
              </tbody>
            </table>
            {version && <>
              <div className="line"><h2>How it stands</h2><Select label="Version" quiet value={version} onChange={setChosen} options={versions.map((one) => [one.version, `Version ${one.version}`] as const)} /></div>
              {[...new Set(rules.flatMap((rule) => rule.stages ?? []))].map((stage) => <Standing key={stage} name={name} version={version} to={{ stage }} />)}
              {[...new Set(rules.flatMap((rule) => rule.aliases ?? []))].map((alias) => <Standing key={`@${alias}`} name={name} version={version} to={{ alias }} />)}
            </>}
          </>)}
      </Loaded>
      {edited && <RuleForm name={name} rule={edited === "new" ? undefined : edited} metrics={metrics} onClose={() => setEdited(null)} />}
    </div>
  );
}

function remove(name: string, rule: ModelRule): Promise<void> {
  return call(DeleteModelRule, { name, rule: rule.name }).then(() => toast(`Removed the rule ${rule.name}`, {
    undo: () => call(SetModelRule, { name, rule }).then(refreshModels),
  }), toastError).then(refreshModels);
}

/** How a version stands to the rules for a stage or an alias. */
function Standing({ name, version, to }: { name: string; version: string; to: { stage: string } | { alias: string } }) {
  const query = useOperation(CheckTransition, { name, version, ...to });
  return (
    <Card title={"stage" in to ? to.stage : to.alias} actions={query.data && <Mark tone={query.data.allowed ? "ok" : "bad"}>{query.data.allowed ? "May go there" : "May not yet"}</Mark>}>
      <Loaded query={query} what="The verdicts">{({ verdicts = [] }) => <Verdicts verdicts={verdicts} />}</Loaded>
    </Card>
  );
}
