import { useState } from "react";
import { call } from "@/api/client";
import { useOperation } from "@/api/queries";
import {
  CheckTransition, CreateTransitionRequest, DeleteRegisteredModelAlias, RollBack, SetRegisteredModelAlias, TransitionStage,
  type ModelVersion, type RegisteredModelAlias, type RuleVerdict,
} from "@/api/schema";
import { counted } from "@/base/format";
import { STAGES, type Stage } from "@/pages/model/data";
import { refreshModels } from "@/pages/models/actions";
import { Checkbox, FormDialog, Select, TextField } from "@/parts/Dialog";
import type { MenuItem } from "@/parts/Menu";
import { Switch } from "@/parts/Tabs";
import { toast } from "@/parts/Toast";
import { Chip, Mark } from "@/parts/Values";

const TONES = { Production: "ok", Staging: "warn", Archived: undefined, None: undefined } as const;

/** The stage of a version; nothing for None. */
export function StageChip({ stage }: { stage: string | null | undefined }) {
  if (!stage || stage === "None") return null;
  return <Chip tone={TONES[stage as Stage]}>{stage}</Chip>;
}

/** How a version stands to rules. */
export function Verdicts({ verdicts }: { verdicts: readonly RuleVerdict[] }) {
  return (
    <ul className="verdicts" aria-label="Rules">
      {verdicts.map((verdict) => (
        <li key={verdict.rule}><Mark tone={verdict.met ? "ok" : "bad"}>{verdict.met ? "Met" : "Not met"}</Mark><span><strong>{verdict.rule}</strong> {verdict.reason}</span></li>
      ))}
    </ul>
  );
}

interface Of {
  name: string;
  version: string;
}

interface TransitionProps {
  version: ModelVersion;
  to?: Stage;
  onClose: () => void;
}

/** Moves a version to a stage, or asks for that; tells what the rules say before. */
export function TransitionDialog({ version: { name, version, current_stage: now }, to, onClose }: TransitionProps) {
  const from = (now ?? "None") as Stage;
  const [stage, setStage] = useState<Stage>(to ?? STAGES.find((one) => one !== from && one !== "None") ?? "None");
  const [way, setWay] = useState<"move" | "ask">("move");
  const [comment, setComment] = useState("");
  const [archive, setArchive] = useState(stage === "Production");
  const check = useOperation(CheckTransition, stage === from ? null : { name, version, stage }, { staleTime: 0 });
  const verdicts = check.data?.verdicts ?? [];
  const active = stage === "Staging" || stage === "Production";
  const submit = async () => {
    const said = comment.trim() ? { comment: comment.trim() } : {};
    if (way === "ask") {
      await call(CreateTransitionRequest, { name, version, stage, ...said });
      toast(`Asked to move version ${version} to ${stage}`);
    } else {
      await call(TransitionStage, { name, version, stage, archive_existing_versions: active && archive, ...said });
      toast(`Version ${version} is in ${stage}`, { undo: () => undone(name, stage) });
    }
    await refreshModels();
  };
  return (
    <FormDialog
      title={`Move version ${version} of ${name}`} action={way === "ask" ? "Ask" : "Move"} width={520} onClose={onClose} onSubmit={submit}
      disabled={stage === from || (way === "move" && check.data?.allowed === false)}
    >
      <Select label={`From ${from} to`} value={stage} onChange={setStage} options={STAGES.filter((one) => one !== from).map((one) => [one, one] as const)} />
      <div><Switch label="Way" options={[["move", "Move now"], ["ask", "Ask others to approve"]]} value={way} onChange={setWay} /></div>
      <TextField label="Comment" value={comment} onChange={setComment} lines={3} hint="Kept in the history of the version." />
      {way === "move" && active && <Checkbox label={`Archive the other versions in ${stage}`} checked={archive} onChange={setArchive} />}
      {verdicts.length > 0 && <Verdicts verdicts={verdicts} />}
      {check.data?.allowed === false && way === "move" && <p className="problem">A rule forbids it.{verdicts.some((verdict) => !verdict.met && verdict.kind === "approvals") ? " Others can be asked to approve." : ""}</p>}
    </FormDialog>
  );
}

function undone(name: string, stage: string): Promise<void> {
  return call(RollBack, { name, stage }).then(refreshModels);
}

/** Lets an alias stand for a version. Undone, it stands for the one before, or is gone. */
async function pointAlias(name: string, alias: string, version: string, before: string | undefined): Promise<void> {
  await call(SetRegisteredModelAlias, { name, alias, version });
  toast(`${alias} stands for version ${version}`, {
    undo: () => (before ? call(SetRegisteredModelAlias, { name, alias, version: before }) : call(DeleteRegisteredModelAlias, { name, alias })).then(refreshModels),
  });
  await refreshModels();
}

export function removeAlias({ name, version }: Of, alias: string): Promise<void> {
  return call(DeleteRegisteredModelAlias, { name, alias }).then(() => toast(`Removed the alias ${alias}`, {
    undo: () => call(SetRegisteredModelAlias, { name, alias, version }).then(refreshModels),
  })).then(refreshModels);
}

interface AliasProps {
  name: string;
  /** What aliases there are. */
  aliases: readonly RegisteredModelAlias[];
  /** The newest first. */
  versions: readonly ModelVersion[];
  /** The one that is moved; without it, one is asked for. */
  alias?: string;
  version?: string;
  onClose: () => void;
}

/** Makes an alias, or lets one stand for another version; tells for which it stands, and what the rules say. */
export function AliasDialog({ name, aliases, versions, alias: given, version: wanted, onClose }: AliasProps) {
  const [alias, setAlias] = useState(given ?? "");
  const word = alias.trim();
  const before = aliases.find((one) => one.alias.toLowerCase() === word.toLowerCase())?.version;
  const [version, setVersion] = useState(wanted ?? versions.find((one) => one.version !== before)?.version ?? "");
  const check = useOperation(CheckTransition, word && version ? { name, version, alias: word } : null, { staleTime: 0, retry: false });
  const verdicts = check.data?.verdicts ?? [];
  return (
    <FormDialog
      title={given ? `Move ${given}` : `Add an alias to ${name}`} action={before ? "Move" : "Add"} onClose={onClose}
      disabled={!word || !version || version === before || check.data?.allowed === false} onSubmit={() => pointAlias(name, word, version, before)}
    >
      {!given && <TextField label="Alias" value={alias} onChange={setAlias} focus placeholder="champion" hint={`Loaded as models:/${name}@${word || "champion"}`} />}
      <Select label="Version" value={version} onChange={setVersion} options={versions.map((one) => [one.version, `Version ${one.version}${one.version === before ? " (now)" : ""}`] as const)} />
      {before && before !== version && <p>{word} stands for version {before} now. Who loads the model by it gets version {version} from then on.</p>}
      {verdicts.length > 0 && <Verdicts verdicts={verdicts} />}
      {check.data?.allowed === false && <p className="problem">A rule forbids it.</p>}
    </FormDialog>
  );
}

/** Asks before the last change of a stage or an alias is taken back. */
export function RollBackDialog({ name, of, holders, onClose }: { name: string; of: { stage: string } | { alias: string }; holders: readonly string[]; onClose: () => void }) {
  const what = "stage" in of ? of.stage : of.alias;
  const submit = async () => {
    const { versions = [] } = await call(RollBack, { name, ...of });
    toast(versions.length ? `${what}: ${versions.map((version) => `version ${version}`).join(", ")}` : `${what} is empty`);
    await refreshModels();
  };
  return (
    <FormDialog title={`Roll ${what} back`} action="Roll back" onClose={onClose} onSubmit={submit}>
      <p>{holders.length ? `${what} is ${holders.map((version) => `version ${version}`).join(", ")} now.` : `${what} is empty now.`} The last change of it is taken back, with what it archived; done again, the change before that.</p>
    </FormDialog>
  );
}

/** Choices to roll back: the stages that are held, and the aliases. */
export function rollBackItems(versions: readonly ModelVersion[], aliases: readonly RegisteredModelAlias[], open: (of: { stage: string } | { alias: string }, holders: readonly string[]) => void): readonly MenuItem[] {
  const stages = (["Production", "Staging"] as const).map((stage): MenuItem => {
    const holders = versions.filter((version) => version.current_stage === stage).map((version) => version.version);
    return { label: `${stage} (${holders.length ? counted(holders.length, "version") : "empty"})`, icon: "restore", run: () => open({ stage }, holders) };
  });
  return [...stages, ...aliases.map((one): MenuItem => ({ label: `${one.alias} (v${one.version})`, icon: "alias", run: () => open({ alias: one.alias }, [one.version]) }))];
}
