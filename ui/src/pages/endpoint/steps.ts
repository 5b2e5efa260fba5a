// The steps of a canary as they are typed: "5:60, 25:60" gives 5 % for 60 seconds, then 25 % for 60 seconds.
import type { Canary, CanaryStep } from "@/api/schema";
import { duration, numberOf } from "@/base/format";

export const USUAL_STEPS = "5:60, 25:60, 50:60";

/** Raises Error for what is no step. */
export function readSteps(text: string): CanaryStep[] {
  const parts = text.split(",").map((part) => part.trim()).filter(Boolean);
  if (parts.length === 0) throw new Error("A canary has one step at least, such as 5:60");
  return parts.map((part) => {
    const [percent, seconds, more] = part.split(":").map((word) => Number(word));
    if (more !== undefined || percent === undefined || seconds === undefined || !(percent > 0 && percent <= 100) || !(seconds >= 0)) {
      throw new Error(`${part} is no step; one is PERCENT:SECONDS, such as 5:60`);
    }
    return { percent, seconds };
  });
}

/** "5 % for 1.0m". */
export function stepText(step: CanaryStep): string {
  return `${step.percent} % for ${duration(1000 * (numberOf(step.seconds) ?? 0))}`;
}

const ENDINGS: Readonly<Record<string, string>> = { PROMOTED: "promoted: it got all the traffic", ROLLED_BACK: "rolled back", STOPPED: "stopped" };

/** What became of a canary that has ended. */
export function endingText(canary: Canary): string {
  return `Version ${canary.version} was ${ENDINGS[canary.state] ?? canary.state.toLowerCase()}${canary.reason ? `: ${canary.reason}` : ""}`;
}
