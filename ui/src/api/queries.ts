// Operations as queries: cached, shared between cards, read again when something changed.
import { QueryClient, useQuery, type UseQueryOptions, type UseQueryResult } from "@tanstack/react-query";
import { call, RequestError } from "@/api/client";
import type { Operation } from "@/api/operation";

const FRESH_MS = 5000;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: FRESH_MS,
      // What the server refused, it refuses again; what did not arrive may arrive now.
      retry: (failures, error) => failures < 1 && error instanceof RequestError && (error.status === 0 || error.status >= 502),
      retryDelay: 500,
    },
  },
});

/** The key of an operation's answer; without a request, of all its answers. */
export function keyOf<Request, Answer>(operation: Operation<Request, Answer>, request?: Request): readonly unknown[] {
  return request === undefined ? [operation.path] : [operation.path, request];
}

type Options<Answer, Data> = Omit<UseQueryOptions<Answer, Error, Data>, "queryKey" | "queryFn">;

/** Reads an operation; `data` is its answer. With `request` null nothing is asked yet. */
export function useOperation<Request extends object, Answer, Data = Answer>(
  operation: Operation<Request, Answer>, request: Request | null, options: Options<Answer, Data> = {},
): UseQueryResult<Data> {
  return useQuery({
    ...options,
    queryKey: keyOf(operation, request ?? ({} as Request)),
    queryFn: ({ signal }) => call(operation, request ?? ({} as Request), signal),
    enabled: request !== null && (options.enabled ?? true),
  });
}

/** Starts reading an operation whose answer will be wanted. */
export function prefetch<Request extends object, Answer>(operation: Operation<Request, Answer>, request: Request): void {
  void queryClient.prefetchQuery({ queryKey: keyOf(operation, request), queryFn: ({ signal }) => call(operation, request, signal) });
}

/** The answer of an operation, from what is kept if that is fresh. */
export function fetched<Request extends object, Answer>(operation: Operation<Request, Answer>, request: Request): Promise<Answer> {
  return queryClient.fetchQuery({ queryKey: keyOf(operation, request), queryFn: ({ signal }) => call(operation, request, signal) });
}

/** Reads again what these operations answered, where it is on the page; elsewhere when it is next wanted. */
export async function refresh(...operations: readonly Operation<unknown, unknown>[]): Promise<void> {
  await Promise.all(operations.map((operation) => queryClient.invalidateQueries({ queryKey: [operation.path] })));
}
