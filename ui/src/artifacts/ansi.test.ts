import { expect, test } from "vitest";
import { ansiLines, plainLine } from "@/artifacts/ansi";

const ESC = "\u001b";

test("colours begin, go on over lines and end", () => {
  expect(ansiLines([`a ${ESC}[31mred`, `still${ESC}[0m plain`])).toEqual([
    [{ text: "a ", style: "" }, { text: "red", style: "ansi-red" }],
    [{ text: "still", style: "ansi-red" }, { text: " plain", style: "" }],
  ]);
});

test("several codes at once, bright ones, and what is taken back", () => {
  expect(ansiLines([`${ESC}[1;92mok${ESC}[22m less${ESC}[39m none`])[0]).toEqual([
    { text: "ok", style: "ansi-green ansi-bold" }, { text: " less", style: "ansi-green" }, { text: " none", style: "" },
  ]);
});

test.each([
  ["38;5;196", "ansi-red"], ["38;5;21", "ansi-blue"], ["38;5;3", "ansi-yellow"], ["38;5;244", ""], ["38;2;0;200;30", "ansi-green"],
  ["38;2;200;200;0", "ansi-yellow"], ["38;2;90;90;90", ""], ["48;5;196", ""], ["38;5;196;4", "ansi-red ansi-underlined"], ["2", "soft"],
])("%s is %s", (codes, style) => expect(ansiLines([`${ESC}[${codes}mx`])[0]).toEqual([{ text: "x", style }]));

test("what else terminals understand is not shown", () => {
  expect(plainLine(`${ESC}[2K${ESC}[1A${ESC}]0;title\u0007${ESC}[31mtext${ESC}[0m`)).toBe("text");
  expect(plainLine(`${ESC}]8;;https://a.b${ESC}\\link${ESC}]8;;${ESC}\\`)).toBe("link");
});

test("of a line that is written over, the last state counts", () => {
  expect(plainLine("10 %\r50 %\r100 %\r")).toBe("100 %");
  expect(ansiLines([`1 %\r${ESC}[32m2 %`])).toEqual([[{ text: "2 %", style: "ansi-green" }]]);
});
