import { expect, test } from "vitest";
import { Marks } from "@/api/marks";

test("a stream goes on from what was known before anything shown was read", () => {
  const marks = new Marks(7);
  expect(marks.before(0)).toBe(7);
  marks.put(9, 1_000);
  marks.put(12, 30_000);
  expect(marks.before(40_000)).toBe(7);
  expect(marks.before(61_000)).toBe(9);
  expect(marks.before(89_999)).toBe(9);
  expect(marks.before(90_000)).toBe(12);
});

test("marks that nobody needs any more are dropped, the one that counts is not", () => {
  const marks = new Marks(1);
  for (let second = 0; second < 1_000; second += 1) marks.put(second + 2, second * 1_000);
  expect(marks.before(999_000)).toBe(941);
  expect(marks.before(999_000 + 60_000)).toBe(1_001);
});

test("without a first number a stream begins with now, until something was told", () => {
  const marks = new Marks(null);
  expect(marks.before(5)).toBe(null);
  marks.put(3, 10);
  expect(marks.before(11)).toBe(3);
});
