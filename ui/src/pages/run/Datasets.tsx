import { useState } from "react";
import type { DatasetInput, Run } from "@/api/schema";
import { count } from "@/base/format";
import { readSignature } from "@/artifacts/model/signature";
import { SignatureTable } from "@/artifacts/model/SignatureTable";
import { Drawer } from "@/parts/Drawer";
import { Code } from "@/parts/States";
import { Chip, Facts } from "@/parts/Values";

const CONTEXT = "mlflow.data.context";

/** The data that a run read. */
export function Datasets({ run }: { run: Run }) {
  const [shown, setShown] = useState<DatasetInput | null>(null);
  const inputs = run.inputs?.dataset_inputs ?? [];
  if (inputs.length === 0) return null;
  return (
    <section className="stack"><h2>Data</h2>
      <div className="chips">
        {inputs.map((input) => (
          <Chip key={`${input.dataset.name} ${input.dataset.digest} ${contextOf(input)}`} icon="table" title="Schema, profile and source" onClick={() => setShown(input)}>
            {input.dataset.name} <span className="soft">{contextOf(input) || input.dataset.digest}</span>
          </Chip>
        ))}
      </div>
      {shown && <Dataset input={shown} onClose={() => setShown(null)} />}
    </section>
  );
}

function contextOf(input: DatasetInput): string {
  return input.tags?.find((tag) => tag.key === CONTEXT)?.value ?? "";
}

function Dataset({ input, onClose }: { input: DatasetInput; onClose: () => void }) {
  const { dataset } = input;
  const columns = readSignature(schemaOf(dataset.schema));
  const profile = Object.entries(parsed(dataset.profile) ?? {}).filter(([, value]) => typeof value === "number" || typeof value === "string");
  return (
    <Drawer label="Data" title={dataset.name} onClose={onClose}>
      <div className="stack">
        <Facts rows={[
          ["Digest", <code key="digest">{dataset.digest}</code>], ["Used as", contextOf(input)], ["Source", dataset.source_type],
          ...profile.map(([key, value]) => [key.replaceAll("_", " "), typeof value === "number" ? count(value) : String(value)] as const),
        ]} />
        {columns.length > 0 && <><h3>Schema</h3><SignatureTable label="Schema" fields={columns} /></>}
        <h3>Source</h3><Code text={indented(dataset.source)} />
      </div>
    </Drawer>
  );
}

function schemaOf(schema: string | null | undefined): string | null {
  const read = parsed(schema);
  const columns = read?.["mlflow_colspec"] ?? read?.["mlflow_tensorspec"];
  return Array.isArray(columns) ? JSON.stringify(columns) : null;
}

function parsed(text: string | null | undefined): Record<string, unknown> | null {
  try {
    const read: unknown = JSON.parse(text ?? "null");
    return typeof read === "object" && read !== null ? read as Record<string, unknown> : null;
  } catch {
    return null;
  }
}

function indented(text: string): string {
  const read = parsed(text);
  return read ? JSON.stringify(read, null, 2) : text;
}
