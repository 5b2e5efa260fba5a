import { expect, test } from "vitest";
import { baseOf, ratioOf, sightOf, tallness } from "@/parts/window";

const sizes = { count: 100_000, height: 28, head: 28, edges: Array.from({ length: 501 }, (_, at) => at * 100), frozen: 200 };

test("what is rendered holds what is in sight", () => {
  for (const [top, left] of [[0, 0], [12_345, 678], [2_799_000, 49_000]] as const) {
    const { rows, columns } = sightOf(sizes, top, left, 1200, 800);
    expect(rows[0] * 28).toBeLessThanOrEqual(top);
    expect((rows[1] + 1) * 28).toBeGreaterThanOrEqual(Math.min(top + 772, 2_800_000));
    expect(columns[0] * 100).toBeLessThanOrEqual(left);
    expect((columns[1] + 1) * 100).toBeGreaterThanOrEqual(Math.min(left + 1000, 50_000));
    expect(rows[1] - rows[0]).toBeLessThan(48);
    expect(columns[1] - columns[0]).toBeLessThan(20);
  }
});

test("nothing is in sight of an empty table", () => {
  expect(sightOf({ ...sizes, count: 0, edges: [0] }, 0, 0, 1200, 800)).toEqual({ rows: [0, -1], columns: [0, -1] });
});

test("a table taller than a browser's limit is scaled, its ends are still reached", () => {
  const tall = { count: 5_000_000, height: 28, head: 28 };
  expect(tallness(sizes)).toBe(2_800_028);
  expect(ratioOf(sizes, 800)).toBe(1);
  expect(tallness(tall)).toBe(15_000_000);
  expect((tallness(tall) - 800) * ratioOf(tall, 800) + 800).toBeCloseTo(5_000_000 * 28 + 28, 3);
});

test("offsets are counted from a row that seldom changes", () => expect([baseOf(0), baseOf(511), baseOf(99_999)]).toEqual([0, 0, 99_840]));
