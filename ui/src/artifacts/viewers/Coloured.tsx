import type { Token } from "@/artifacts/highlight";

/** A line of code in its colours. */
export function Coloured({ tokens }: { tokens: readonly Token[] }) {
  return <>{tokens.map((token, at) => (token.scope ? <span key={at} className={`code-${token.scope.split("_")[0] === "built" ? "built_in" : token.scope}`}>{token.text}</span> : token.text))}</>;
}
