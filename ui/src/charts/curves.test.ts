import { expect, test } from "vitest";
import { decodeCurves } from "@/charts/curves";

function answer(columns: readonly number[][]): ArrayBuffer {
  let header = JSON.stringify({ curves: [{ run_id: "r", metric: "loss", points: 9, exact: false, count: columns[0]?.length }] });
  while (header.length % 8) header += " ";
  const bytes = new ArrayBuffer(8 + header.length + columns.flat().length * 8);
  new Uint8Array(bytes).set(new TextEncoder().encode("MSC1"));
  new DataView(bytes).setUint32(4, header.length, true);
  new Uint8Array(bytes).set(new TextEncoder().encode(header), 8);
  new Float64Array(bytes, 8 + header.length).set(columns.flat());
  return bytes;
}

test("curves come as columns of doubles", () => {
  const [curve] = decodeCurves(answer([[0, 10], [1, 2], [3, Infinity], [2, Number.NaN]]), "step").curves;
  expect(curve).toMatchObject({ runId: "r", metric: "loss", points: 9, exact: false });
  expect([curve?.x, curve?.min, curve?.max, curve?.last].map((column) => Array.from(column ?? []))).toEqual([[0, 10], [1, 2], [3, Infinity], [2, Number.NaN]]);
});

test("times are seconds", () => expect(Array.from(decodeCurves(answer([[1500], [1], [1], [1]]), "relative").curves[0]?.x ?? [])).toEqual([1.5]));

test("other bytes are refused", () => expect(() => decodeCurves(new TextEncoder().encode("<html> is not it").buffer, "step")).toThrow("no curves"));
