import { useEffect, useRef } from "react";
import { useOperation } from "@/api/queries";
import { GetEndpointLogs, type EndpointAnswer, type ReplicaLog } from "@/api/schema";
import { CopyButton } from "@/parts/Button";
import { Checkbox, Select } from "@/parts/Dialog";
import { Empty, Loaded } from "@/parts/States";

const POLL_MS = 3000;

interface Props {
  answer: EndpointAnswer;
  /** "" for all. */
  version: string;
  onVersion: (version: string) => void;
  follow: boolean;
  onFollow: (follow: boolean) => void;
}

/** The last lines of the scoring processes, which go on while they write. */
export function Logs({ answer, version, onVersion, follow, onFollow }: Props) {
  const query = useOperation(GetEndpointLogs, { name: answer.endpoint.name, ...(version ? { version } : {}) }, { refetchInterval: POLL_MS });
  const options = [["", "All versions"] as const, ...(answer.versions ?? []).toReversed().map((one) => [one.version, `version ${one.version}`] as const)];
  return (
    <div className="endpoint-fill">
      <div className="line endpoint-tools">
        <Select quiet label="Version" value={version} onChange={onVersion} options={options} />
        <Checkbox label="Follow" checked={follow} onChange={onFollow} />
      </div>
      <Loaded query={query} what="The logs">
        {({ logs = [] }) => logs.length === 0 ? <Empty title="No scoring process has written anything yet." /> : (
          <div className="endpoint-logs scroll" tabIndex={0} role="region" aria-label="Logs">
            {logs.map((log) => <Log key={`${log.host} ${log.version} ${log.number}`} log={log} follow={follow} />)}
          </div>
        )}
      </Loaded>
    </div>
  );
}

function Log({ log, follow }: { log: ReplicaLog; follow: boolean }) {
  const place = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (follow && place.current) place.current.scrollTop = place.current.scrollHeight;
  }, [log.text, follow]);
  const title = `version ${log.version}, replica ${log.number + 1}, host ${log.host}`;
  return (
    <section aria-label={title}>
      <div className="line"><h3 className="grow cut">{title}</h3><CopyButton text={log.text} label="Copy the lines" /></div>
      <pre ref={place} tabIndex={0} className="scroll endpoint-log">{log.text}</pre>
    </section>
  );
}
