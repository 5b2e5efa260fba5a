// A surface over scattered runs: between three neighbours in proportion, and nowhere outside the hull of them all.
import { contours } from "d3-contour";
import { Delaunay } from "d3-delaunay";

export interface Place {
  x: number;
  y: number;
  /** The mean of the runs there. */
  z: number;
  /** How many runs lie there. */
  count: number;
}

/** The places of points; those with the same place are one, with the mean of their values. */
export function placesOf(x: ArrayLike<number>, y: ArrayLike<number>, z: ArrayLike<number>): readonly Place[] {
  const made = new Map<string, Place>();
  for (let at = 0; at < x.length; at += 1) {
    const [px, py, pz] = [x[at] ?? 0, y[at] ?? 0, z[at] ?? 0];
    const key = `${px.toFixed(2)} ${py.toFixed(2)}`;
    const there = made.get(key);
    made.set(key, there ? { ...there, z: (there.z * there.count + pz) / (there.count + 1), count: there.count + 1 } : { x: px, y: py, z: pz, count: 1 });
  }
  return [...made.values()];
}

export interface Surface {
  /** The corners of the hull. */
  hull: readonly (readonly [number, number])[];
  /** The value at the middle of each cell, row by row; NaN outside the hull, but for the cells along its edge. */
  grid: Float64Array;
  columns: number;
  rows: number;
}

// Cells this far beyond an edge get the mean of those beside them, so that the hull's own line cuts the surface.
const BEYOND = 2;

/** The surface on cells of `step` pixels; null where the places span no area. */
export function surfaceOf(places: readonly Place[], width: number, height: number, step: number): Surface | null {
  const [columns, rows] = [Math.ceil(width / step), Math.ceil(height / step)];
  if (columns < 2 || rows < 2 || !spansArea(places)) return null;
  const { triangles, hull, points } = Delaunay.from(places, (place) => place.x, (place) => place.y);
  const grid = new Float64Array(columns * rows).fill(NaN);
  for (let at = 0; at < triangles.length; at += 3) {
    const corners = [triangles[at] ?? 0, triangles[at + 1] ?? 0, triangles[at + 2] ?? 0].map((corner) => places[corner]);
    const [a, b, c] = corners;
    if (a && b && c) fill(grid, columns, rows, step, a, b, c);
  }
  for (let turn = 0; turn < BEYOND; turn += 1) widen(grid, columns, rows);
  return { hull: Array.from(hull, (corner) => [points[2 * corner] ?? 0, points[2 * corner + 1] ?? 0] as const), grid, columns, rows };
}

/** Whether some place lies off the line through the first and the one that is farthest from it. */
function spansArea(places: readonly Place[]): boolean {
  const [first] = places;
  if (!first) return false;
  const far = (place: Place) => Math.hypot(place.x - first.x, place.y - first.y);
  const last = places.reduce((best, place) => (far(place) > far(best) ? place : best), first);
  const length = far(last);
  return length > 0 && places.some((place) => Math.abs((last.x - first.x) * (place.y - first.y) - (last.y - first.y) * (place.x - first.x)) / length > 0.5);
}

function fill(grid: Float64Array, columns: number, rows: number, step: number, a: Place, b: Place, c: Place): void {
  const double = (b.y - c.y) * (a.x - c.x) + (c.x - b.x) * (a.y - c.y);
  if (Math.abs(double) < 1e-9) return;
  const span = (low: number, high: number, most: number) => [Math.max(0, Math.floor(low / step) - 2), Math.min(most - 1, Math.ceil(high / step) + 2)] as const;
  const [left, right] = span(Math.min(a.x, b.x, c.x), Math.max(a.x, b.x, c.x), columns);
  const [top, bottom] = span(Math.min(a.y, b.y, c.y), Math.max(a.y, b.y, c.y), rows);
  for (let row = top; row <= bottom; row += 1) {
    for (let column = left; column <= right; column += 1) {
      const [x, y] = [(column + 0.5) * step, (row + 0.5) * step];
      const one = ((b.y - c.y) * (x - c.x) + (c.x - b.x) * (y - c.y)) / double;
      const two = ((c.y - a.y) * (x - c.x) + (a.x - c.x) * (y - c.y)) / double;
      const three = 1 - one - two;
      if (Math.min(one, two, three) >= 0) grid[row * columns + column] = one * a.z + two * b.z + three * c.z;
    }
  }
}

/** Gives the empty cells beside filled ones their mean. */
function widen(grid: Float64Array, columns: number, rows: number): void {
  const before = grid.slice();
  for (let cell = 0; cell < before.length; cell += 1) {
    if (!Number.isNaN(before[cell] ?? 0)) continue;
    const [row, column] = [Math.floor(cell / columns), cell % columns];
    let [sum, count] = [0, 0];
    for (let down = Math.max(0, row - 1); down <= Math.min(rows - 1, row + 1); down += 1) {
      for (let right = Math.max(0, column - 1); right <= Math.min(columns - 1, column + 1); right += 1) {
        const value = before[down * columns + right] ?? NaN;
        if (Number.isNaN(value)) continue;
        sum += value;
        count += 1;
      }
    }
    if (count > 0) grid[cell] = sum / count;
  }
}

/** The areas of the surface above each of some values, as rings of pixels. */
export function areasOf(surface: Surface, thresholds: readonly number[], step: number): readonly { value: number; rings: readonly (readonly (readonly [number, number])[])[] }[] {
  const made = contours().size([surface.columns, surface.rows]).thresholds([...thresholds])(Array.from(surface.grid));
  return made.map((area) => ({
    value: area.value,
    rings: area.coordinates.flatMap((polygon) => polygon.map((ring) => ring.map(([x = 0, y = 0]) => [x * step, y * step] as const))),
  }));
}

/** `count` values between the lowest and the highest, the lowest first. */
export function levelsOf(low: number, high: number, count: number): readonly number[] {
  return low === high ? [low] : Array.from({ length: count }, (_, at) => low + ((high - low) * at) / count);
}
