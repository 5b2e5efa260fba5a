import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Run } from "@/api/schema";
import { bytes } from "@/base/format";
import { folderQuery, nameOf, placeOfRun } from "@/artifacts/place";
import { inOrder, isLog, isLogFolder } from "@/pages/run/logs";
import { LogFile } from "@/artifacts/viewers/LogFile";
import { Icon } from "@/parts/Icon";
import { Empty, ErrorCard, Loading } from "@/parts/States";
import "@/artifacts/artifacts.css";

interface Props {
  run: Run;
  path: string;
  onChange: (path: string) => void;
}

/** The logs among a run's artifacts; while it runs, their end is followed. */
export default function Logs({ run, path, onChange }: Props) {
  const place = useMemo(() => placeOfRun(run.info.run_id), [run.info.run_id]);
  const [root] = useQueries({ queries: [folderQuery(place, "")] });
  const folders = (root.data ?? []).filter((entry) => entry.is_dir && isLogFolder(entry.path));
  const inner = useQueries({ queries: folders.map((folder) => folderQuery(place, folder.path)) });
  if (root.error) return <ErrorCard what="The logs could not be loaded" error={root.error} onRetry={() => void root.refetch()} />;
  if (!root.data || inner.some((result) => result.isPending)) return <Loading />;
  const logs = inOrder([...root.data, ...inner.flatMap((result) => result.data ?? [])].filter((entry) => !entry.is_dir && isLog(entry.path)));
  if (logs.length === 0) {
    return <Empty title={run.info.status === "RUNNING" ? "This run has kept no logs yet." : "This run kept no logs."} code={'mlflow.log_artifact("train.log", "logs")'}>Files in the folder logs, and those whose names end with .log, .out or .err, are shown here.</Empty>;
  }
  const shown = logs.find((log) => log.path === path) ?? logs[0];
  return (
    <div className="artifacts">
      <ul className="artifacts-tree artifacts-entries scroll" aria-label="Logs">
        {logs.map((log) => (
          <li key={log.path}><button type="button" className="menu-item" aria-pressed={log === shown} onClick={() => onChange(log.path)}>
            <Icon name="file" /><span className="grow cut" data-tip={log.path}>{nameOf(log.path)}</span><span className="soft figure">{bytes(log.file_size ?? 0)}</span>
          </button></li>
        ))}
      </ul>
      <div className="artifacts-view">{shown && <LogFile key={shown.path} place={place} path={shown.path} size={shown.file_size ?? undefined} followed={run.info.status === "RUNNING"} />}</div>
    </div>
  );
}
