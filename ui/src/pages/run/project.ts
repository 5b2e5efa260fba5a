// What the tags of a run say of the project, the pipeline or the run that it comes from, and how it is run again.
import type { Run } from "@/api/schema";
import { tagOf } from "@/pages/run/state";

export const ENTRY_POINT = "mlflow.project.entryPoint";
export const STEP = "millstream.pipeline.step";
export const MADE_BY = "millstream.pipeline.made_by";
export const RERUN_OF = "millstream.rerun.of";
export const RERUN_EQUAL = "millstream.rerun.equal";
export const COMMAND = "millstream.project.command";
export const PIPELINE = "millstream.pipeline";
const SOURCE = "mlflow.source.name";
const TYPE = "mlflow.source.type";

export function isProject(run: Run): boolean {
  return tagOf(run, TYPE) === "PROJECT" || tagOf(run, ENTRY_POINT) !== undefined;
}

const SAFE = /^[\w@%+=:,./-]+$/;

/** A text as one word of a shell. */
export function shellWord(text: string): string {
  return SAFE.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The command that starts a project run anew, with the same code, entry point and parameters; null for other runs. */
export function runCommand(run: Run): string | null {
  const source = tagOf(run, SOURCE);
  if (!isProject(run) || !source) return null;
  const [entry, commit, backend, environment] = [ENTRY_POINT, "mlflow.source.git.commit", "mlflow.project.backend", "mlflow.project.env"].map((key) => tagOf(run, key));
  const words = ["millstream", "run", source];
  if (entry && entry !== "main") words.push("-e", entry);
  // A folder is run as it is now: it has no versions of its own.
  if (commit && /^(?:[\w+.-]+:\/\/|[\w.-]+@)/.test(source)) words.push("-v", commit);
  for (const { key, value } of [...(run.data?.params ?? [])].sort((a, b) => (a.key < b.key ? -1 : 1))) words.push("-P", `${key}=${value}`);
  if (backend && backend !== "local") words.push("-b", backend);
  if (environment === "local") words.push("--env-manager", "local");
  words.push("--experiment-id", run.info.experiment_id);
  return words.map(shellWord).join(" ");
}

/** The command that rebuilds what a run was made from, runs it again and compares the two. */
export function rerunCommand(run: Run): string {
  return `millstream rerun ${run.info.run_id}`;
}

/** The address of a repository for a browser; null for one that has none. */
export function repositoryLink(url: string): string | null {
  const found = /^(?:https?:\/\/(?:[^@/]*@)?|(?:ssh:\/\/)?git@)([\w.-]+)(?::\d+)?[:/](.+?)(?:\.git)?\/?$/.exec(url);
  return found ? `https://${found[1] ?? ""}/${found[2] ?? ""}` : null;
}
