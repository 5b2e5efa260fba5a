import { useMemo } from "react";
import type { ModelVersion } from "@/api/schema";
import { numberOf } from "@/base/format";
import { LineChart, type Line } from "@/charts/LineChart";
import type { RunMetrics } from "@/pages/model/data";
import { Select } from "@/parts/Dialog";
import { Card } from "@/parts/States";

const HEIGHT = 132;

interface Props {
  versions: readonly ModelVersion[];
  metrics: RunMetrics;
  metric: string;
  onMetric: (metric: string) => void;
}

/** A metric of the runs that made the versions, by version. */
export function KeyChart({ versions, metrics, metric, onMetric }: Props) {
  const lines = useMemo((): Line[] => {
    const points = [...versions].reverse().flatMap((version) => {
      const value = numberOf(metrics.valueOf(version, metric));
      return value === null || !Number.isFinite(value) ? [] : [[Number(version.version), value] as const];
    });
    return points.length ? [{ id: metric, name: metric, colour: "var(--run-0)", x: points.map(([x]) => x), y: points.map(([, y]) => y) }] : [];
  }, [versions, metrics, metric]);
  return (
    <Card title={`${metric} by version`} actions={<Select label="Metric of the chart" quiet value={metric} onChange={onMetric} options={metrics.keys.map((key) => [key, key] as const)} />}>
      {lines.length ? <LineChart label={`${metric} by version`} lines={lines} height={HEIGHT} axis="version" /> : <p className="soft">No run of these versions has it.</p>}
    </Card>
  );
}
