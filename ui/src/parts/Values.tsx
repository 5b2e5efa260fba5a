// Values as they stand in tables and facts: numbers, times, durations, states, names.
import type { ReactNode } from "react";
import { useNow } from "@/base/clock";
import { absolute, ago, count, duration, exact, iso, number, type Figure } from "@/base/format";
import { usePreferences } from "@/base/preferences";
import { Icon, type IconName } from "@/parts/Icon";

const ALL_DIGITS = 17;

/** A number, rounded to `digits` or to as many as the reader wants; every digit on hover. */
export function Num({ value, digits = ALL_DIGITS }: { value: Figure | null | undefined; digits?: number }) {
  const most = Number(usePreferences().digits);
  const text = number(value, most === ALL_DIGITS ? most : Math.min(digits, most));
  const full = exact(value);
  return <span className="figure" data-tip={full.length > text.length ? full : undefined}>{text}</span>;
}

/** A key, that breaks between its words where there is no room for it. */
export function KeyName({ children }: { children: string }) {
  return <>{children.split(/(?<=[_./:-])/).map((part, at) => [at > 0 && <wbr key={at} />, part])}</>;
}

/** A whole number with separators. */
export function Count({ value }: { value: number | null | undefined }) {
  return <span className="figure">{value === null || value === undefined ? "" : count(value)}</span>;
}

/** A moment, told as how long ago or when, as the reader wants; the other on hover. */
export function Time({ at }: { at: number | null | undefined }) {
  const { times } = usePreferences();
  const told = useNow((now) => ago(at, now));
  if (at === null || at === undefined || at === 0) return null;
  const [shown, other] = times === "relative" ? [told, absolute(at)] : [absolute(at), told];
  return <time className="figure" dateTime={iso(at)} data-tip={other}>{shown}</time>;
}

/** How long something has taken that began at a moment and goes on. */
export function Since({ at }: { at: number }) {
  const took = useNow((now) => duration(Math.max(0, now - at)));
  return <span className="figure">{took}</span>;
}

export function Duration({ ms }: { ms: number | null | undefined }) {
  return <span className="figure" data-tip={ms ? `${ms} ms` : undefined}>{duration(ms)}</span>;
}

type Tone = "ok" | "bad" | "running" | "warn" | "soft";

// A shape for each, so that colour is never alone.
const SHAPES: Record<Tone, string> = {
  ok: "M5 1a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
  bad: "M1.5 1.5l7 7M8.5 1.5l-7 7",
  running: "M2.5 1l6 4-6 4z",
  warn: "M5 1l4.5 8h-9z",
  soft: "M1 5h8",
};

const RUN_STATES: Record<string, [Tone, string]> = {
  RUNNING: ["running", "Running"],
  SCHEDULED: ["soft", "Scheduled"],
  FINISHED: ["ok", "Finished"],
  FAILED: ["bad", "Failed"],
  KILLED: ["warn", "Killed"],
};

/** A state: shape, colour and word. `quiet` keeps the word for the tooltip and who does not see. */
export function Mark({ tone, children, quiet }: { tone: Tone; children: string; quiet?: boolean }) {
  return (
    <span className={`mark ${tone}`} data-tip={quiet ? children : undefined}>
      <svg viewBox="0 0 10 10" aria-hidden="true"><path d={SHAPES[tone]} /></svg>
      {quiet ? <span className="unseen">{children}</span> : children}
    </span>
  );
}

/** The state of a run. */
export function RunStatus({ status, quiet }: { status: string | null | undefined; quiet?: boolean }) {
  if (!status) return null;
  const [tone, word] = RUN_STATES[status] ?? ["soft", status];
  return <Mark tone={tone} quiet={quiet}>{word}</Mark>;
}

/** How far something is, 0 to 1. */
export function Progress({ share }: { share: number }) {
  const percent = Math.floor(share * 100);
  return (
    <span className="progress" data-tip={`${percent} % of its total_steps`}>
      <span className="progress-way" aria-hidden="true"><span style={{ width: `${percent}%` }} /></span><span className="figure">{percent} %</span>
    </span>
  );
}

interface ChipProps {
  children: ReactNode;
  icon?: IconName;
  tone?: Tone;
  title?: string;
  /** Makes it a button. */
  onClick?: () => void;
  /** Gives it a cross. */
  onRemove?: () => void;
  removeLabel?: string;
}

/** A short word in a frame: a tag, an alias, a stage. */
export function Chip({ children, icon, tone, title, onClick, onRemove, removeLabel = "Remove" }: ChipProps) {
  const body = <>{icon && <Icon name={icon} />}<span className="cut">{children}</span></>;
  return (
    <span className={`chip${tone ? ` ${tone}` : ""}`} data-tip={title}>
      {onClick ? <button type="button" className="chip-body" onClick={onClick}>{body}</button> : <span className="chip-body">{body}</span>}
      {onRemove && <button type="button" className="chip-cross" aria-label={removeLabel} onClick={onRemove}><Icon name="close" /></button>}
    </span>
  );
}

/** Names with their values, one below the other. */
export function Facts({ rows }: { rows: readonly (readonly [string, ReactNode] | null | false | undefined)[] }) {
  return (
    <dl className="facts">
      {rows.map((row) => row && row[1] !== null && row[1] !== undefined && row[1] !== "" && row[1] !== false && (
        <div key={row[0]}><dt>{row[0]}</dt><dd>{row[1]}</dd></div>
      ))}
    </dl>
  );
}
