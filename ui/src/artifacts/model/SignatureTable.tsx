import type { Field } from "@/artifacts/model/signature";

/** Columns, tensors or parameters with their types. */
export function SignatureTable({ label, fields }: { label: string; fields: readonly Field[] }) {
  const defaults = fields.some((field) => field.fallback !== undefined);
  const named = fields.some((field) => field.name !== "");
  return (
    <table className="facts-table" aria-label={label}>
      <thead><tr>{named && <th>Name</th>}<th>Type</th><th>{defaults ? "Default" : "Required"}</th></tr></thead>
      <tbody>
        {fields.map((field, at) => (
          <tr key={`${at} ${field.name}`}>
            {named && <td className="mono">{field.name}</td>}<td className="mono">{field.type}</td><td className={defaults ? "mono" : undefined}>{defaults ? field.fallback : field.required ? "yes" : "no"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
