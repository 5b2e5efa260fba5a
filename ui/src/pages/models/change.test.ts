import { describe, expect, it } from "vitest";
import { difference } from "@/pages/models/change";

describe("difference", () => {
  it("has a sign and says what is better by the goal", () => {
    expect(difference(0.86, 0.83, "max")).toEqual({ text: "+0.03", better: true });
    expect(difference(0.86, 0.83, "min")).toEqual({ text: "+0.03", better: false });
    expect(difference(0.4, 0.5, "min")).toEqual({ text: "−0.1", better: true });
    expect(difference(2, 2, "max")).toEqual({ text: "±0", better: null });
  });
  it("is nothing where one is missing or no number", () => {
    expect(difference(1, null, "max")).toBeNull();
    expect(difference("NaN", 1, "max")).toBeNull();
    expect(difference("Infinity", 1, "max")).toBeNull();
  });
});
