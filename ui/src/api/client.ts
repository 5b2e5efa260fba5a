// Requests to the server: operations by name, anything else by path; errors in one form.
import type { Operation } from "@/api/operation";
import { prefix } from "@/base/location";

/** What went wrong with a request, as the server or the network tells it. */
export class RequestError extends Error {
  override readonly name = "RequestError";

  constructor(
    message: string,
    /** The HTTP status, 0 when no answer came. */
    readonly status: number,
    readonly code: string,
    readonly hint: string,
    readonly requestId: string,
    /** The class of the error in the Python package, "" if unknown. */
    readonly kind: string,
  ) {
    super(message);
  }
}

interface Told {
  error_code?: string;
  message?: string;
  hint?: string;
  error_class?: string;
}

/** What the server said of the time it took, newest first; for the query inspector. */
export interface Asked {
  method: string;
  path: string;
  status: number;
  milliseconds: number;
  bytes: number;
  timing: string;
  requestId: string;
}

const KEPT = 100;
export const asked: Asked[] = [];

/** The full address of a path of the server. */
export function address(path: string): string {
  return prefix + path;
}

/** Sends an operation. `signal` ends it early. Raises RequestError. */
export async function call<Request extends object, Answer>(
  operation: Operation<Request, Answer>, request: Request, signal?: AbortSignal,
): Promise<Answer> {
  const fields = new Map(Object.entries(request));
  const path = operation.path.replace(/\{(\w+)\}/g, (_: string, name: string) => {
    const value: unknown = fields.get(name);
    fields.delete(name);
    return encodeURIComponent(String(value));
  });
  const rest = Object.fromEntries(fields);
  const response = operation.method === "GET" || operation.method === "DELETE"
    ? await ask(operation.method, withQuery(path, rest), undefined, signal)
    : await ask(operation.method, path, rest, signal);
  return (await response.json()) as Answer;
}

/** A path with a query; lists repeat their name, what is undefined or null is left out. */
export function withQuery(path: string, fields: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    for (const part of Array.isArray(value) ? value as unknown[] : [value]) query.append(name, String(part));
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** Asks for a path; a `body` is sent as JSON. The answer is a good one: others raise RequestError. */
export async function ask(
  method: string, path: string, body?: unknown, signal?: AbortSignal, headers: Record<string, string> = {},
): Promise<Response> {
  const began = performance.now();
  let response: Response;
  try {
    response = await fetch(address(path), {
      method,
      headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new RequestError(
      "the server does not answer", 0, "UNREACHABLE", "see that it runs and that this machine reaches it", "", "",
    );
  }
  note(method, path, response, began);
  if (!response.ok) throw await errorOf(response);
  return response;
}

function note(method: string, path: string, response: Response, began: number): void {
  asked.unshift({
    method,
    path,
    status: response.status,
    milliseconds: performance.now() - began,
    bytes: Number(response.headers.get("content-length") ?? 0),
    timing: response.headers.get("server-timing") ?? "",
    requestId: response.headers.get("x-request-id") ?? "",
  });
  asked.length = Math.min(asked.length, KEPT);
}

async function errorOf(response: Response): Promise<RequestError> {
  const told = await response.json().catch(() => ({})) as Told;
  return new RequestError(
    told.message ?? `the server answered ${response.status} ${response.statusText}`.trim(),
    response.status, told.error_code ?? "", told.hint ?? "", response.headers.get("x-request-id") ?? "",
    told.error_class ?? "",
  );
}
