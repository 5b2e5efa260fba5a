import type { ModelVersion, ServingEndpoint } from "@/api/schema";
import { address } from "@/api/client";
import { loadingCode } from "@/artifacts/model/ModelDescription";
import { shellQuoted } from "@/pages/version/differences";
import type { VersionModel } from "@/pages/version/model";
import { Card, Code } from "@/parts/States";

const WITHOUT_EXAMPLE = '{"inputs": [[1.0, 2.0]]}';

/** What to write in a program or a shell to use a version. */
export function Snippets({ version: { name, version, aliases = [] }, endpoints, model }: { version: ModelVersion; endpoints: readonly ServingEndpoint[]; model: VersionModel | undefined }) {
  const native = model && !model.flavors.includes("python_function") ? model.flavors[0] ?? null : null;
  const body = compact(model?.request) ?? WITHOUT_EXAMPLE;
  const where = `${location.origin}${address(`/model/${encodeURIComponent(name)}/${version}/invocations`)}`;
  return (
    <>
      <Card title="Load it"><div className="stack"><Code text={loadingCode(aliases[0] ? `models:/${name}@${aliases[0]}` : `models:/${name}/${version}`, native)} /></div></Card>
      <Card title="Call it">
        <div className="stack">
          {endpoints.length === 0 && <p className="soft">The model is not served yet: Serve switches it on.</p>}
          <Code text={`curl ${where} \\\n  -H 'Content-Type: application/json' \\\n  -d ${shellQuoted(body)}`} />
        </div>
      </Card>
    </>
  );
}

function compact(text: string | null | undefined): string | null {
  if (!text) return null;
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return null;
  }
}
