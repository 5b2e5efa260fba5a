import { describe, expect, it } from "vitest";
import { bodyOf, curlOf, isForm, recordsOf, valueOf } from "@/pages/endpoint/tryit";

const field = (name: string, type: string, required = true) => ({ name, type, required });
const FIELDS = [field("amount", "double"), field("country", "string"), field("age", "long", false), field("new", "boolean")];

it("makes a form of named columns of single values only", () => {
  expect(isForm(FIELDS)).toBe(true);
  expect(isForm([])).toBe(false);
  expect(isForm([field("", "double")])).toBe(false);
  expect(isForm([field("x", "float32 tensor (-1, 28)")])).toBe(false);
});

describe("the records of an example", () => {
  it("are read from both forms of tables", () => {
    const split = JSON.stringify({ dataframe_split: { columns: ["country", "amount", "new"], data: [["de", 1.5, true]] } });
    expect(recordsOf(split, FIELDS)).toEqual([{ amount: "1.5", country: "de", age: "", new: "true" }]);
    expect(recordsOf(JSON.stringify({ dataframe_records: [{ amount: 2 }] }), FIELDS)[0]).toMatchObject({ amount: "2", country: "" });
  });

  it("are one empty record where there is no example, or none that can be read", () => {
    const empty = [{ amount: "", country: "", age: "", new: "" }];
    expect(recordsOf(null, FIELDS)).toEqual(empty);
    expect(recordsOf("{", FIELDS)).toEqual(empty);
    expect(recordsOf('{"inputs": [1]}', FIELDS)).toEqual(empty);
  });
});

describe("what is sent", () => {
  it("has values of the columns' types, and leaves out what is empty and not required", () => {
    const records = [{ amount: "1.5", country: "", age: "", new: "False" }, { amount: "2", country: "de", age: "7", new: "true" }];
    expect(bodyOf(records, FIELDS, {}, [])).toEqual({
      dataframe_records: [{ amount: 1.5, country: "", new: false }, { amount: 2, country: "de", age: 7, new: true }],
    });
  });

  it("has parameters that are given", () => {
    const parameters = [field("limit", "double", false), field("names", "string (-1)", false)];
    expect(bodyOf([], [], { limit: "3", names: '["a"]' }, parameters)).toEqual({ dataframe_records: [], params: { limit: 3, names: ["a"] } });
    expect(bodyOf([], [], { limit: "" }, parameters)).toEqual({ dataframe_records: [] });
  });

  it("is refused where a text does not fit", () => {
    expect(() => valueOf("", field("amount", "double"))).toThrow("amount is empty");
    expect(() => valueOf("x", field("amount", "double"))).toThrow("amount takes a number");
    expect(() => valueOf("1.5", field("age", "long"))).toThrow("whole number");
    expect(() => valueOf("1", field("new", "boolean"))).toThrow("true or false");
  });
});

it("quotes a request for a shell", () => {
  expect(curlOf("http://h/x", `{"a": "it's"}`)).toBe(`curl 'http://h/x' \\\n  -H 'Content-Type: application/json' \\\n  -d '{"a": "it'\\''s"}'`);
});
