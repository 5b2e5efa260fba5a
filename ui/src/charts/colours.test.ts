import { describe, expect, test } from "vitest";
import tokens from "@/base/tokens.css?raw";
import { HUES } from "@/charts/colours";

type Triple = readonly [number, number, number];

// How light of each kind of sight comes out, on linear RGB. Source: Machado, Oliveira and Fernandes, 2009, severity 1.
const SIGHTS: Record<string, readonly Triple[]> = {
  all: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  deuteranope: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  protanope: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
};
const [LIGHT = [], DARK = []] = tokens.split("[data-theme=\"dark\"]").map((part) => Array.from({ length: HUES }, (_, at) => new RegExp(`--run-${at}: (#\\w{6})`).exec(part)?.[1] ?? ""));

function linear(colour: string): number[] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
}

/** A colour in CIE L*a*b*, where distances are those that are seen. */
function seen(colour: string, sight: readonly Triple[]): Triple {
  const given = linear(colour);
  const [r = 0, g = 0, b = 0] = sight.map((row) => Math.max(0, Math.min(1, row.reduce((sum, part, at) => sum + part * (given[at] ?? 0), 0))));
  const [x, y, z] = [(0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047, 0.2126 * r + 0.7152 * g + 0.0722 * b, (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883]
    .map((value) => (value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116)) as [number, number, number];
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = linear(colour);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

describe.each([["light", LIGHT, "#ffffff"], ["dark", DARK, "#141619"]] as const)("colours of runs, %s", (_, colours, page) => {
  test.each(Object.keys(SIGHTS))("are told apart: %s", (sight) => {
    const places = colours.map((colour) => seen(colour, SIGHTS[sight] ?? []));
    const distances = places.flatMap((a, i) => places.slice(i + 1).map((b) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])));
    expect(distances).toHaveLength((HUES * (HUES - 1)) / 2);
    expect(Math.min(...distances)).toBeGreaterThan(20);
  });

  test("stand out from the page", () => {
    for (const colour of colours) {
      const [low = 0, high = 0] = [luminance(colour), luminance(page)].sort((a, b) => a - b);
      expect((high + 0.05) / (low + 0.05)).toBeGreaterThanOrEqual(3);
    }
  });
});
