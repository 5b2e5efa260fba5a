// Signatures of models as tables: what goes in, what comes out, in the words of their specification.

export interface Field {
  name: string;
  type: string;
  required: boolean;
  /** Of a parameter. */
  fallback?: string;
}

type Spec = Record<string, unknown>;

function specOf(value: unknown): Spec {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Spec : {};
}

/** A type in words: "double", "float32 tensor (-1, 28)", "array of string". */
export function typeText(given: unknown): string {
  const spec = specOf(given);
  const tensor = specOf(spec["tensor-spec"]);
  if (spec.type === "tensor") return `${String(tensor.dtype ?? "any")} tensor (${Array.isArray(tensor.shape) ? tensor.shape.join(", ") : "…"})`;
  if (spec.type === "array") return `array of ${typeText(spec.items)}`;
  if (spec.type === "map") return `map of ${typeText(spec.values)}`;
  if (spec.type === "object") {
    const properties = Object.entries(specOf(spec.properties)).map(([name, of]) => `${name}${specOf(of).required === false ? "?" : ""}: ${typeText(of)}`);
    return `object {${properties.join(", ")}}`;
  }
  return typeof spec.type === "string" ? spec.type : "any";
}

/** The columns, tensors or parameters that a signature names; [] for what is none. */
export function readSignature(text: string | null | undefined): readonly Field[] {
  let read: unknown;
  try {
    read = JSON.parse(text ?? "[]");
  } catch {
    return [];
  }
  return (Array.isArray(read) ? read : []).map((value): Field => {
    const spec = specOf(value);
    return {
      name: typeof spec.name === "string" ? spec.name : "", type: typeText(spec) + (Array.isArray(spec.shape) ? ` (${spec.shape.join(", ")})` : ""),
      required: spec.required !== false && spec.optional !== true && !("default" in spec),
      ...("default" in spec ? { fallback: JSON.stringify(spec.default) } : {}),
    };
  });
}
