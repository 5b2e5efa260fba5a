// How the values of a column are spread over the runs of the table, below its header while that is looked at.
import { useEffect, useRef } from "react";
import { useOperation } from "@/api/queries";
import { QueryDistribution, type Distribution } from "@/api/schema";
import { absolute, count, counted, duration, number, numberOf, type Figure } from "@/base/format";
import { parseColumn, titleOf } from "@/pages/runs/state";

interface Props {
  column: string;
  /** Where its header is. */
  at: DOMRect;
  experimentId: string;
  filter: string;
  deleted: boolean;
}

const BARS = 24;
const SHOWN_TEXTS = 8;
const WIDTH = 240;
const HEIGHT = 48;
const GAP = 4;

export default function Spread({ column, at, experimentId, filter, deleted }: Props) {
  const layer = useRef<HTMLDivElement>(null);
  const asked = useOperation(QueryDistribution, {
    experiment_ids: [experimentId], column, bars: BARS, ...(filter ? { filter } : {}), view_type: deleted ? "DELETED_ONLY" : "ACTIVE_ONLY",
  }, { staleTime: 20_000 });
  useEffect(() => {
    const element = layer.current;
    if (!element) return;
    element.showPopover();
    element.style.top = `${at.bottom + GAP}px`;
    element.style.left = `${Math.max(GAP, Math.min(innerWidth - element.offsetWidth - GAP, at.left))}px`;
  }, [at, asked.data]);
  if (asked.error) return null;
  return (
    <div ref={layer} popover="manual" className="spread" role="tooltip">
      <p className="spread-title">{titleOf(column)}</p>
      {asked.data && <Values column={column} spread={asked.data} />}
    </div>
  );
}

function Values({ column, spread }: { column: string; spread: Distribution }) {
  const told = valueText(column);
  const [counts, texts] = [spread.counts ?? [], spread.values ?? []];
  return (
    <>
      {counts.length > 0 && <Bars counts={counts} label={`From ${told(spread.low)} to ${told(spread.high)}`} />}
      {counts.length > 0 && <p className="line figure"><span className="grow">{told(spread.low)}</span><span>{told(spread.high)}</span></p>}
      {texts.length > 0 && <Texts texts={texts.slice(0, SHOWN_TEXTS)} most={texts[0]?.count ?? 1} />}
      <p className="soft">{[
        `${count(spread.present)} of ${counted(spread.matched, "run")}`,
        (spread.distinct ?? 0) > 0 && counted(spread.distinct ?? 0, "different value"),
        (spread.not_finite ?? 0) > 0 && `${count(spread.not_finite ?? 0)} NaN or infinite`,
      ].filter(Boolean).join(", ")}</p>
    </>
  );
}

function Bars({ counts, label }: { counts: readonly number[]; label: string }) {
  const most = Math.max(...counts, 1);
  const step = WIDTH / counts.length;
  return (
    <svg width={WIDTH} height={HEIGHT} role="img" aria-label={label}>
      {counts.map((value, at) => value > 0 && (
        <rect key={at} x={at * step} width={Math.max(1, step - 1)} y={HEIGHT - Math.max(2, (value / most) * HEIGHT)} height={Math.max(2, (value / most) * HEIGHT)} fill="var(--accent)" />
      ))}
    </svg>
  );
}

function Texts({ texts, most }: { texts: readonly { value: string; count: number }[]; most: number }) {
  return (
    <ul className="spread-texts">
      {texts.map(({ value, count: runs }) => (
        <li key={value} className="line"><span className="spread-bar" aria-hidden="true"><span style={{ width: `${(runs / most) * 100}%` }} /></span><span className="figure">{count(runs)}</span><span className="grow cut">{value || "(empty)"}</span></li>
      ))}
    </ul>
  );
}

function valueText(column: string): (value: Figure | null | undefined) => string {
  const { kind, key } = parseColumn(column);
  if (kind === "attributes" && key.endsWith("_time")) return (value) => absolute(numberOf(value));
  return kind === "attributes" && key === "duration" ? (value) => duration(numberOf(value)) : number;
}
