import { useMemo } from "react";
import { useTokens } from "@/artifacts/highlight";
import { readNotebook, type Output } from "@/artifacts/notebook";
import { outputAddress, useText } from "@/artifacts/place";
import { Coloured } from "@/artifacts/viewers/Coloured";
import type { FileProps } from "@/artifacts/Viewer";
import { Markdown } from "@/parts/Sanitised";
import { Loaded } from "@/parts/States";

/** A notebook to read: its cells and what came out of them. */
export default function NotebookFile({ place, path }: FileProps) {
  const text = useText(place, path);
  return <Loaded query={text} what="The notebook">{(read) => <Notebook text={read} pageOf={(cell, output) => outputAddress(place, path, cell, output)} />}</Loaded>;
}

function Notebook({ text, pageOf }: { text: string; pageOf: (cell: number, output: number) => string }) {
  const { language, cells } = useMemo(() => readNotebook(text), [text]);
  if (cells.length === 0) return <p className="artifacts-note soft">The notebook has no cells.</p>;
  return (
    <div className="artifacts-body scroll" tabIndex={0} role="region" aria-label="Notebook">
      <div className="notebook">
        {cells.map((cell, at) => (
          <div key={at} className="notebook-cell">
            <div className="notebook-prompt">{cell.kind === "code" ? `[${cell.turn ?? " "}]` : ""}</div>
            <div className="grow">
              {cell.kind === "markdown" ? <Markdown text={cell.text} /> : <CodeCell code={cell.text} language={cell.kind === "code" ? language : null} />}
              {cell.outputs.map((output, index) => <Shown key={index} output={output} pageOf={(which) => pageOf(at, which)} />)}
            </div>
          </div>
        ))}
      </div>
    </div>
  );
}

function CodeCell({ code, language }: { code: string; language: string | null }) {
  const tokens = useTokens(code, language);
  return <pre className="notebook-code" tabIndex={0}><code>{tokens ? tokens.map((line, at) => <span key={at}><Coloured tokens={line} />{"\n"}</span>) : code}</code></pre>;
}

/** HTML comes from the server, under the policy of pages that were logged, with its own styles and scripts. */
function Shown({ output, pageOf }: { output: Output; pageOf: (output: number) => string }) {
  if (output.kind === "image") return <div className="notebook-output"><img src={output.address} alt="Output" /></div>;
  if (output.kind === "html") return <div className="notebook-output"><iframe title="Output" sandbox="allow-scripts" referrerPolicy="no-referrer" src={pageOf(output.at)} /></div>;
  return <pre className={output.bad ? "notebook-output error" : "notebook-output"} tabIndex={0}>{output.text}</pre>;
}
