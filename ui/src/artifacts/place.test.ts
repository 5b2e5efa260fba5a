import { expect, test } from "vitest";
import { foldersAbove, located, mounted, placeOfModel, placeOfRun } from "@/artifacts/place";

const RUN = placeOfRun("r1");
const MODEL = placeOfModel("m-1", "model");
const PLACES = [RUN, MODEL];

test("a path of the tree is in the place that it begins with", () => {
  expect(located(PLACES, "models:/m-1/MLmodel")).toEqual({ place: MODEL, path: "MLmodel" });
  expect(located(PLACES, "models:/m-1")).toEqual({ place: MODEL, path: "" });
  expect(located(PLACES, "models:/m-10/x")).toEqual({ place: RUN, path: "models:/m-10/x" });
  expect(located([MODEL], "notes/a")).toBeNull();
  expect(mounted(MODEL, "a/b")).toBe("models:/m-1/a/b");
  expect(mounted(RUN, "a/b")).toBe("a/b");
});

test("the folders above a path are opened for it", () => {
  expect(foldersAbove(PLACES, "a/b/c.txt")).toEqual(["a", "a/b"]);
  expect(foldersAbove(PLACES, "models:/m-1/data/model.pkl")).toEqual(["models:/m-1", "models:/m-1/data"]);
  expect(foldersAbove(PLACES, "")).toEqual([]);
});
