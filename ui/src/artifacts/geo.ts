// The outlines of GeoJSON on a flat map, without tiles: longitudes shrink with the cosine of the middle latitude.
import type { Json } from "@/artifacts/json";

export interface Outlines {
  /** Paths of SVG. */
  areas: readonly string[];
  lines: readonly string[];
  points: readonly (readonly [number, number])[];
  /** x, y, width, height that hold everything, with some room. */
  box: readonly [number, number, number, number];
  /** West, south, east, north in degrees. */
  bounds: readonly [number, number, number, number];
}

type Position = readonly [number, number];

interface Found {
  rings: Position[][][];
  lines: Position[][];
  points: Position[];
}

function isPosition(value: Json | undefined): value is readonly [number, number] {
  return Array.isArray(value) && typeof value[0] === "number" && typeof value[1] === "number";
}

function positions(value: Json | undefined): Position[] {
  return Array.isArray(value) ? (value as Json[]).filter(isPosition) : [];
}

function parts(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value as Json[] : [];
}

function collect(value: Json | undefined, found: Found): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  const one = value as { readonly [key: string]: Json };
  const at = one.coordinates;
  if (one.type === "FeatureCollection") for (const feature of parts(one.features)) collect(feature, found);
  else if (one.type === "Feature") collect(one.geometry, found);
  else if (one.type === "GeometryCollection") for (const geometry of parts(one.geometries)) collect(geometry, found);
  else if (one.type === "Polygon") found.rings.push(parts(at).map(positions));
  else if (one.type === "MultiPolygon") for (const polygon of parts(at)) found.rings.push(parts(polygon).map(positions));
  else if (one.type === "LineString") found.lines.push(positions(at));
  else if (one.type === "MultiLineString") for (const line of parts(at)) found.lines.push(positions(line));
  else if (one.type === "Point" && isPosition(at)) found.points.push(at);
  else if (one.type === "MultiPoint") found.points.push(...positions(at));
}

/** What a GeoJSON value outlines; null if there is nothing in it. */
export function outlines(value: Json): Outlines | null {
  const found: Found = { rings: [], lines: [], points: [] };
  collect(value, found);
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of [...found.rings.flat(2), ...found.lines.flat(), ...found.points]) {
    [west, south, east, north] = [Math.min(west, x), Math.min(south, y), Math.max(east, x), Math.max(north, y)];
  }
  if (!Number.isFinite(west + south + east + north)) return null;
  const shrink = Math.max(0.05, Math.cos(((south + north) / 2) * (Math.PI / 180)));
  const place = ([x, y]: Position): [number, number] => [round((x - west) * shrink), round(north - y)];
  const path = (line: Position[], closed: boolean) => (line.length ? `M${line.map((one) => place(one).join(" ")).join("L")}${closed ? "Z" : ""}` : "");
  const [width, height] = [(east - west) * shrink, north - south];
  const room = Math.max(width, height, 0.01) * 0.04;
  return {
    areas: found.rings.map((polygon) => polygon.map((ring) => path(ring, true)).join("")), lines: found.lines.map((line) => path(line, false)),
    points: found.points.map(place), box: [-room, -room, width + 2 * room, height + 2 * room], bounds: [west, south, east, north],
  };
}

function round(value: number): number {
  return Number(value.toPrecision(8));
}
