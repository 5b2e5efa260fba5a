import { describe, expect, it } from "vitest";
import { fieldValues, pairs, shellQuoted } from "@/pages/version/differences";

describe("pairs", () => {
  it("has every key once, in order, with what each side has", () => {
    expect(pairs(new Map([["b", "1"], ["a10", "2"]]), new Map([["b", "3"], ["a9", "4"]]))).toEqual([
      { key: "a9", own: null, other: "4" }, { key: "a10", own: "2", other: null }, { key: "b", own: "1", other: "3" },
    ]);
  });
});

describe("fieldValues", () => {
  it("tells type, place and what may be left out", () => {
    expect([...fieldValues([
      { name: "age", type: "long", required: true }, { name: "", type: "double", required: false }, { name: "k", type: "long", required: false, fallback: "3" },
    ])]).toEqual([["age", "long"], ["#2", "double, may be left out"], ["k", "long = 3"]]);
  });
});

describe("shellQuoted", () => {
  it("keeps quotes of the text", () => {
    expect(shellQuoted("it's")).toBe("'it'\\''s'");
  });
});
