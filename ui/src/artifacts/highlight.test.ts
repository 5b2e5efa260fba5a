import { expect, test } from "vitest";
import { tokensOf } from "@/artifacts/highlight";
import { highlighter } from "@/artifacts/languages";

test("markup becomes tokens, line by line, with nothing lost", () => {
  const code = 'def f(x):\n    """Two <b>\n    lines & \'more\'"""\n    return x + 1\n';
  const lines = tokensOf(highlighter.highlight(code, { language: "python" }).value);
  expect(lines.map((line) => line.map((token) => token.text).join("")).join("\n")).toBe(code);
  expect(lines[0]?.[0]).toEqual({ text: "def", scope: "keyword" });
  expect(lines[2]?.[0]).toEqual({ text: "    lines & 'more'\"\"\"", scope: "string" });
});

test("every language that a name stands for is there", async () => {
  const { languageOf } = await import("@/artifacts/kinds");
  for (const name of ["a.py", "b.json", "MLmodel", "c.sh", "d.r", "e.sql", "f.md", "g.ts", "h.js", "i.xml", "j.toml", "Dockerfile", "k.patch", "l.css"]) {
    expect(highlighter.getLanguage(languageOf(name) ?? ""), name).toBeDefined();
  }
  expect(languageOf("notes")).toBeNull();
});
