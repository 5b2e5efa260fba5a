import { counted } from "@/base/format";

const WIDTH = 116;
const HEIGHT = 18;

/** Runs started a day, the last 30 days, as bars. */
export function Sparkline({ values }: { values: readonly number[] }) {
  const most = Math.max(...values, 0);
  if (!most) return null;
  const step = WIDTH / values.length;
  const total = values.reduce((sum, value) => sum + value, 0);
  return (
    <svg width={WIDTH} height={HEIGHT} role="img" aria-label={`${counted(total, "run")} in ${values.length} days`} data-tip={`${counted(total, "run")} in ${values.length} days, ${most} at most on one`}>
      {values.map((value, day) => value > 0 && (
        <rect key={day} x={day * step} width={Math.max(1, step - 1)} y={HEIGHT - 2 - (value / most) * (HEIGHT - 4)} height={(value / most) * (HEIGHT - 4) + 2} fill="var(--accent)" />
      ))}
    </svg>
  );
}
