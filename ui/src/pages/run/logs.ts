// Which artifacts are logs, by their names.

const FOLDER = /(^|\/)(logs?|std(out|err))$/i;
const NAMES = /\.(log|out|err)(\.\d+)?$|(^|\/)(log|std(out|err))(\.txt)?$/i;

export function isLogFolder(path: string): boolean {
  return FOLDER.test(path);
}

/** Whether a file is a log: by its ending, or as a text in a folder of logs. */
export function isLog(path: string): boolean {
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
  return NAMES.test(path) || (/^(logs?|std(out|err))$/i.test(folder) && /\.(txt|jsonl?)$/i.test(path));
}

/** The output of a project's command. */
export const PROJECT_LOG = "logs/project.log";

/** Logs as they are offered: the project's output first. */
export function inOrder<Entry extends { path: string }>(logs: readonly Entry[]): Entry[] {
  return [...logs.filter((log) => log.path === PROJECT_LOG), ...logs.filter((log) => log.path !== PROJECT_LOG)];
}
