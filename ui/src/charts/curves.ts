// Curves of runs from the server, in its binary form: numbers that are none included, a million points as buckets.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ask } from "@/api/client";

export type Axis = "step" | "time" | "relative";

export interface Curve {
  runId: string;
  metric: string;
  /** About how many points lie in the window. */
  points: number;
  /** Whether each bucket is one point, as it was logged. */
  exact: boolean;
  /** Steps; seconds since the epoch for "time", seconds since the run began for "relative". */
  x: Float64Array;
  min: Float64Array;
  max: Float64Array;
  last: Float64Array;
}

export interface Curves {
  curves: readonly Curve[];
}

interface Header {
  curves: { run_id: string; metric: string; points: number; exact: boolean; count: number }[];
}

export interface CurvesRequest {
  runIds: readonly string[];
  metrics: readonly string[];
  axis: Axis;
  /** The window of the axis, in the unit of `x`; null for all. */
  zoom?: readonly [number, number] | null;
  /** How wide the chart is: as many buckets come at most. */
  pixels: number;
}

const MAGIC = "MSC1";
const PATH = "/ajax-api/v1/runs/curves";

/** The curves in an answer of bytes. Times come in seconds. Raises Error for what is no such answer. */
export function decodeCurves(bytes: ArrayBuffer, axis: Axis): Curves {
  const text = new TextDecoder();
  if (text.decode(bytes.slice(0, 4)) !== MAGIC) throw new Error("the server's answer holds no curves");
  const length = new DataView(bytes).getUint32(4, true);
  const header = JSON.parse(text.decode(bytes.slice(8, 8 + length))) as Header;
  let at = 8 + length;
  const scale = axis === "step" ? 1 : 1000;
  const curves = header.curves.map(({ run_id, metric, points, exact, count }) => {
    const column = () => {
      const values = new Float64Array(bytes, at, count);
      at += count * Float64Array.BYTES_PER_ELEMENT;
      return values;
    };
    const x = column();
    return { runId: run_id, metric, points, exact, x: scale === 1 ? x : x.map((value) => value / scale), min: column(), max: column(), last: column() };
  });
  return { curves };
}

export async function readCurves({ runIds, metrics, axis, zoom, pixels }: CurvesRequest, signal?: AbortSignal): Promise<Curves> {
  const scale = axis === "step" ? 1 : 1000;
  const response = await ask("POST", PATH, {
    run_ids: runIds, metrics, axis, pixels, ...(zoom ? { x0: zoom[0] * scale, x1: zoom[1] * scale } : {}),
  }, signal, { accept: "application/octet-stream" });
  return decodeCurves(await response.arrayBuffer(), axis);
}

export const CURVES_KEY = "curves";

/** Curves of runs, read when `request` is not null; those before stay while others are read. */
export function useCurves(request: CurvesRequest | null) {
  return useQuery({
    queryKey: [CURVES_KEY, request],
    queryFn: ({ signal }) => (request ? readCurves(request, signal) : Promise.resolve<Curves>({ curves: [] })),
    enabled: request !== null && request.runIds.length > 0 && request.metrics.length > 0,
    placeholderData: keepPreviousData,
    structuralSharing: false,
  });
}
