import { expect, test } from "vitest";
import { areasOf, levelsOf, placesOf, surfaceOf } from "@/plots/contour";

const STEP = 2;
const corners = placesOf([10, 90, 10], [10, 10, 90], [0, 1, 0]);

test("runs at one place are one, with their mean", () => {
  expect(placesOf([5, 5, 9], [5, 5, 9], [1, 3, 7])).toEqual([{ x: 5, y: 5, z: 2, count: 2 }, { x: 9, y: 9, z: 7, count: 1 }]);
});
test("within the hull values go on in proportion; outside there are none", () => {
  const surface = surfaceOf(corners, 100, 100, STEP);
  const at = (x: number, y: number) => surface?.grid[Math.floor(y / STEP) * (surface?.columns ?? 0) + Math.floor(x / STEP)];
  expect(at(50, 20)).toBeCloseTo((50 + 1 - 10) / 80, 1);
  expect(at(12, 80)).toBeCloseTo(0.04, 1);
  expect([at(90, 90), at(2, 2), at(97, 12)]).toEqual([NaN, NaN, NaN]);
  expect(surface?.hull).toHaveLength(3);
});
test("areas lie within the hull's box", () => {
  const surface = surfaceOf(corners, 100, 100, STEP);
  const rings = surface ? areasOf(surface, [0.5], STEP).flatMap((area) => area.rings) : [];
  expect(rings.length).toBeGreaterThan(0);
  for (const [x, y] of rings.flat()) {
    expect(x).toBeGreaterThan(45);
    expect(x).toBeLessThan(97);
    expect(y).toBeLessThan(60);
  }
});
test.each([
  ["one place", [1], [1]], ["two", [1, 5], [1, 5]], ["places in a line", [0, 10, 20, 30], [5, 5, 5, 5]], ["none", [], []],
])("%s span no area", (_, x, y) => expect(surfaceOf(placesOf(x, y, x), 100, 100, STEP)).toBeNull());
test("levels begin with the lowest; of equal values there is one", () => {
  expect(levelsOf(0, 10, 5)).toEqual([0, 2, 4, 6, 8]);
  expect(levelsOf(3, 3, 5)).toEqual([3]);
});
