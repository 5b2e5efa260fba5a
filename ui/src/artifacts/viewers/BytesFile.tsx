import { count } from "@/base/format";
import { dump } from "@/artifacts/hex";
import type { FileProps } from "@/artifacts/Viewer";
import { CopyButton } from "@/parts/Button";
import { Facts, Time } from "@/parts/Values";

/** A file of no kind that is known: its facts and its first bytes. */
export default function BytesFile({ facts }: FileProps) {
  return (
    <div className="bytes scroll grow" tabIndex={0} role="region" aria-label="Bytes">
      <Facts rows={[
        ["Type", facts.type], ["Size", `${count(facts.size)} bytes`],
        ["Modified", facts.modified === undefined ? null : <Time key="modified" at={facts.modified} />],
        ["SHA-256", facts.sha256 && <span key="hash" className="line"><code className="cut">{facts.sha256}</code><CopyButton text={facts.sha256} label="Copy the hash" /></span>],
      ]} />
      <pre aria-label={`The first ${facts.head.length / 2} bytes`}>{dump(facts.head)}</pre>
    </div>
  );
}
