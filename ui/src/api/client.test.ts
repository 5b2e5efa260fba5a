import { afterEach, expect, test, vi } from "vitest";
import { call, RequestError, withQuery } from "@/api/client";
import { GetRun, SearchRuns } from "@/api/schema";

afterEach(() => vi.unstubAllGlobals());

function answering(response: Response): ReturnType<typeof vi.fn> {
  const fetched = vi.fn().mockResolvedValue(response);
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

test("a query repeats lists and leaves out what is unset", () => {
  expect(withQuery("/p", { a: [1, "b c"], n: null, u: undefined, z: 0 })).toBe("/p?a=1&a=b+c&z=0");
});

test("what is read is in the query, what is sent in the body", async () => {
  const fetched = answering(Response.json({ run: {} }));
  await call(GetRun, { run_id: "r&1" });
  expect(fetched.mock.calls[0]?.[0]).toBe("/api/2.0/mlflow/runs/get?run_id=r%261");
  fetched.mockResolvedValue(Response.json({}));
  await call(SearchRuns, { experiment_ids: ["1"] });
  expect(JSON.parse(fetched.mock.calls[1]?.[1].body)).toEqual({ experiment_ids: ["1"] });
});

test("an error tells what the server told", async () => {
  answering(Response.json(
    { error_code: "RESOURCE_DOES_NOT_EXIST", message: "no run 'r'", hint: "look" },
    { status: 404, headers: { "x-request-id": "a-1" } },
  ));
  const error = await call(GetRun, { run_id: "r" }).catch((raised: unknown) => raised);
  expect(error).toBeInstanceOf(RequestError);
  expect(error).toMatchObject({ message: "no run 'r'", status: 404, code: "RESOURCE_DOES_NOT_EXIST", requestId: "a-1", hint: "look" });
});

test("an answer that is no JSON is an error too", async () => {
  answering(new Response("<html>", { status: 502, statusText: "Bad Gateway" }));
  await expect(call(GetRun, { run_id: "r" })).rejects.toMatchObject({ status: 502, message: "the server answered 502 Bad Gateway" });
});
