import { expect, test } from "vitest";
import { dump } from "@/artifacts/hex";
import { ASKED_ABOVE, asksFirst, looksOf } from "@/artifacts/kinds";

function hex(text: string): string {
  return [...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

test("files are looked at by their kind, and by what their names and beginnings say beyond it", () => {
  expect(looksOf({ path: "a/MLmodel", kind: "yaml", type: "", head: "" })[0]).toBe("model");
  expect(looksOf({ path: "a.svg", kind: "image", type: "image/svg+xml", head: "" })[0]).toBe("page");
  expect(looksOf({ path: "a.png", kind: "image", type: "image/png", head: "" })).toEqual(["image"]);
  expect(looksOf({ path: "a.geojson", kind: "json", type: "", head: "" })[0]).toBe("map");
  expect(looksOf({ path: "eval.json", kind: "json", type: "", head: hex('{"columns": ["a"], "data": [[1]]}') })[0]).toBe("grid");
  expect(looksOf({ path: "eval.json", kind: "json", type: "", head: hex('{"a": 1}') })).toEqual(["tree", "source"]);
});

test("only what is read whole is asked about, and only when it is large", () => {
  expect(asksFirst("tree", ASKED_ABOVE + 1)).toBe(true);
  expect(asksFirst("tree", ASKED_ABOVE)).toBe(false);
  expect(asksFirst("source", 10 * ASKED_ABOVE)).toBe(false);
  expect(asksFirst("grid", 10 * ASKED_ABOVE)).toBe(false);
});

test("bytes stand with their offsets and characters", () => {
  const [first, second] = dump(`${hex("Millstream, 1234")}00ff`).split("\n");
  expect(first).toBe("00000000  4d 69 6c 6c 73 74 72 65  61 6d 2c 20 31 32 33 34  Millstream, 1234");
  expect(second?.startsWith("00000010  00 ff ")).toBe(true);
  expect(second?.endsWith("  ..")).toBe(true);
});
