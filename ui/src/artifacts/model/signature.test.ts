import { expect, test } from "vitest";
import { readSignature, typeText } from "@/artifacts/model/signature";

test("types of signatures in words", () => {
  expect(typeText({ type: "tensor", "tensor-spec": { dtype: "float32", shape: [-1, 28] } })).toBe("float32 tensor (-1, 28)");
  expect(typeText({ type: "array", items: { type: "map", values: { type: "long" } } })).toBe("array of map of long");
  expect(typeText({ type: "object", properties: { a: { type: "string", required: true }, b: { type: "double", required: false } } })).toBe("object {a: string, b?: double}");
  expect(typeText(null)).toBe("any");
});

test("columns, and parameters with their defaults", () => {
  expect(readSignature('[{"type": "long", "name": "age", "required": true}, {"type": "double", "name": "x", "optional": true}]')).toEqual([
    { name: "age", type: "long", required: true }, { name: "x", type: "double", required: false },
  ]);
  expect(readSignature('[{"name": "stop", "type": "string", "default": ["a"], "shape": [-1]}]')).toEqual([
    { name: "stop", type: "string (-1)", required: false, fallback: '["a"]' },
  ]);
  expect(readSignature("no")).toEqual([]);
  expect(readSignature(null)).toEqual([]);
});
