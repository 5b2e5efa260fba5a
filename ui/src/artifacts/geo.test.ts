import { expect, test } from "vitest";
import { outlines } from "@/artifacts/geo";

test("all geometries are outlined, north up", () => {
  const drawn = outlines({
    type: "FeatureCollection", features: [
      { type: "Feature", geometry: { type: "Polygon", coordinates: [[[0, 0], [10, 0], [10, 10], [0, 0]]] } },
      { type: "Feature", geometry: { type: "GeometryCollection", geometries: [{ type: "LineString", coordinates: [[0, 0], [10, 10, 5]] }, { type: "MultiPoint", coordinates: [[5, 5]] }] } },
      { type: "Feature", geometry: null },
    ],
  });
  expect(drawn?.bounds).toEqual([0, 0, 10, 10]);
  expect(drawn?.areas).toHaveLength(1);
  expect(drawn?.areas[0]).toMatch(/^M0 10L9\.96\d* 10L9\.96\d* 0L0 10Z$/);
  expect(drawn?.lines).toHaveLength(1);
  expect(drawn?.points).toHaveLength(1);
});

test("one point has room around it, and nothing has no map", () => {
  const drawn = outlines({ type: "Point", coordinates: [8.5, 47.4] });
  expect(drawn?.box[2]).toBeGreaterThan(0);
  expect(outlines({ type: "FeatureCollection", features: [] })).toBeNull();
  expect(outlines([1, 2])).toBeNull();
  expect(outlines({ type: "Polygon", coordinates: "no" })).toBeNull();
});
