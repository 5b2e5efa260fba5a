import { expect, test } from "vitest";
import { readNotebook } from "@/artifacts/notebook";

test("cells and what came out of them", () => {
  const { language, cells } = readNotebook(JSON.stringify({
    metadata: { language_info: { name: "Python" } }, nbformat: 4, cells: [
      { cell_type: "markdown", source: ["# A\n", "b"] },
      { cell_type: "code", execution_count: 3, source: "1/0", outputs: [
        { output_type: "stream", name: "stderr", text: ["warned"] },
        { output_type: "error", ename: "ZeroDivisionError", evalue: "by zero", traceback: ["\u001b[31mline\u001b[0m", "end"] },
        { output_type: "display_data", data: { "image/png": "aGk=\n", "text/plain": "<Figure>" } },
        { output_type: "execute_result", data: { "text/html": ["<b>", "x</b>"], "text/plain": "x" } },
        { output_type: "display_data", data: { "application/json": {} } },
      ] },
    ],
  }));
  expect(language).toBe("python");
  expect(cells[0]).toEqual({ kind: "markdown", text: "# A\nb", turn: null, outputs: [] });
  expect(cells[1]?.turn).toBe(3);
  expect(cells[1]?.outputs).toEqual([
    { kind: "text", text: "warned", bad: true }, { kind: "text", text: "line\nend", bad: true },
    { kind: "image", address: "data:image/png;base64,aGk=" }, { kind: "html", at: 3 },
  ]);
});

test("notebooks of version 3 have their cells in worksheets", () => {
  const { cells } = readNotebook(JSON.stringify({ nbformat: 3, worksheets: [{ cells: [{ cell_type: "code", input: "x", prompt_number: 1, outputs: [{ output_type: "pyout", text: "2" }] }] }] }));
  expect(cells).toEqual([{ kind: "code", text: "x", turn: 1, outputs: [{ kind: "text", text: "2", bad: false }] }]);
  expect(() => readNotebook("{")).toThrow(SyntaxError);
});
