import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { follow, pageNow } from "@/base/clock";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

test("all who follow hear of the same moments, and nobody does after the last has left", () => {
  const heard: [string, number][] = [];
  const first = follow(() => heard.push(["first", pageNow()]));
  const second = follow(() => heard.push(["second", pageNow()]));
  vi.advanceTimersByTime(5000);
  expect(heard).toEqual([["first", 1_005_000], ["second", 1_005_000]]);
  first();
  vi.advanceTimersByTime(5000);
  expect(heard.slice(2)).toEqual([["second", 1_010_000]]);
  second();
  expect(vi.getTimerCount()).toBe(0);
});

test("between two ticks it is the same moment", () => {
  const end = follow(() => undefined);
  const now = pageNow();
  vi.advanceTimersByTime(3000);
  expect(pageNow()).toBe(now);
  end();
  expect(pageNow()).toBe(now + 3000);
});
