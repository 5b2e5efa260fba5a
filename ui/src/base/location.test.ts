import { expect, test } from "vitest";
import { fieldsOf } from "@/base/location";

test.each([
  ["/", "/", {}],
  ["/models", "/models", {}],
  ["/models", "/Models/", {}],
  ["/models/:name", "/models/a%2Fb%20c", { name: "a/b c" }],
  ["/models/:name", "/models/100%", { name: "100%" }],
  ["/models/:name/:version", "/models/a/2", { name: "a", version: "2" }],
])("%s fits %s", (pattern, path, fields) => expect(fieldsOf(pattern, path)).toEqual(fields));

test.each([
  ["/", "/models"], ["/models/:name", "/models"], ["/models/:name", "/models/"], ["/models/:name", "/models/a/2"], ["/exp/:id", "/run/1"],
])("%s does not fit %s", (pattern, path) => expect(fieldsOf(pattern, path)).toBeNull());
