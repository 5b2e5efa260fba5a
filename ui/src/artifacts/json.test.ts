import { expect, test } from "vitest";
import { above, compact, find, linesOf, openAtFirst, parseJson, preview } from "@/artifacts/json";

const VALUE = { a: [1, { "b/c": "Text" }], ok: true };

test("numbers that JSON does not have are read as texts, within texts they stay", () => {
  expect(parseJson('{"x": NaN, "y": -Infinity, "z": "NaN, Infinity"}')).toEqual({ x: "NaN", y: "-Infinity", z: "NaN, Infinity" });
  expect(() => parseJson("{")).toThrow(SyntaxError);
});

test("a tree has the lines of what is open", () => {
  expect(linesOf(VALUE, new Set([""])).map((line) => [line.path, line.depth, line.size])).toEqual([["", 0, 2], ["/a", 1, 2], ["/ok", 1, null]]);
  expect(linesOf(VALUE, new Set(["", "/a", "/a/1"])).map((line) => line.path)).toEqual(["", "/a", "/a/0", "/a/1", "/a/1/b~1c", "/ok"]);
});

test("what a search finds can be opened", () => {
  const [path] = find(VALUE, "text");
  expect(path).toBe("/a/1/b~1c");
  expect(above(path ?? "")).toEqual(["", "/a", "/a/1"]);
  expect(find(VALUE, "ok")).toEqual(["/ok"]);
  expect(find(VALUE, "")).toEqual([]);
});

test("little is open at first, of a long list only its line", () => {
  expect([...openAtFirst(VALUE)]).toEqual(["", "/a", "/ok"]);
  expect([...openAtFirst({ long: Array.from({ length: 1000 }, () => 0) })]).toEqual([""]);
});

test("short values stand on one line", () => {
  const rows = { columns: ["age", "balance"], data: Array.from({ length: 9 }, (_, at) => [at, 1000.5 + at]) };
  const text = compact(rows);
  expect(text).toContain('  "columns": ["age","balance"],\n');
  expect(text).toContain("\n    [8,1008.5]\n");
  expect(JSON.parse(text)).toEqual(rows);
});

test("what is short is told beside its count", () => {
  expect(preview({ id: 3, name: "x".repeat(40), of: [1], on: null })).toBe(`id: 3, name: "${"x".repeat(30)}…", of: […], on: null`);
  expect(preview([1, "a"])).toBe('1, "a"');
  expect([preview([]), preview([1, 2, 3, 4, 5, 6]), preview(3)]).toEqual(["", "", ""]);
});
