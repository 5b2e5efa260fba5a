import type { ModelVersion, Run, ServingEndpoint } from "@/api/schema";
import { Link, path } from "@/frame/router";
import { ServingState } from "@/pages/models/columns";
import { Icon, type IconName } from "@/parts/Icon";
import type { ReactNode } from "react";

const MOST = 3;

/** Where a version comes from and where it goes: data, run, version, endpoint. */
export function Lineage({ version, run, endpoints }: { version: ModelVersion; run: Run | undefined; endpoints: readonly ServingEndpoint[] }) {
  const data = (run?.inputs?.dataset_inputs ?? []).map(({ dataset }) => dataset);
  const aliases = version.aliases ?? [];
  return (
    <ol className="lineage" aria-label="Lineage">
      <Step icon="table" title="Data">
        {data.length === 0 ? <span className="soft">none logged</span> : data.slice(0, MOST).map((one) => <span key={`${one.name} ${one.digest}`} className="cut" data-tip={`${one.name}, digest ${one.digest}`}>{one.name} <code className="soft">{one.digest}</code></span>)}
        {data.length > MOST && <span className="soft">and {data.length - MOST} more</span>}
      </Step>
      <Step icon="experiment" title="Run">
        {version.run_id ? <Link to={path`/run/${version.run_id}`} className="cut">{run?.info.run_name ?? version.run_id}</Link> : version.run_link ? <span className="cut">{version.run_link}</span> : <span className="soft">none</span>}
      </Step>
      <Step icon="model" title="Version"><strong>{version.name} {version.version}</strong>{aliases.length > 0 && <span className="soft cut">{aliases.join(", ")}</span>}</Step>
      <Step icon="serving" title="Endpoint">
        {endpoints.length === 0 ? <span className="soft">not served</span> : endpoints.slice(0, MOST).map((one) => <span key={one.name} className="line"><Link to={path`/serving/${one.name}`} className="cut">{one.name}</Link><ServingState state={one.state} /></span>)}
      </Step>
    </ol>
  );
}

function Step({ icon, title, children }: { icon: IconName; title: string; children: ReactNode }) {
  return <li><span className="lineage-title"><Icon name={icon} />{title}</span><div className="lineage-what">{children}</div></li>;
}
