// The output of programs as terminals show it: colours by ANSI escape sequences (ECMA-48, SGR), lines written over.

/** A piece of a line; `style` names classes of artifacts.css, "" for none. */
export interface Piece {
  text: string;
  style: string;
}

const NAMES = ["", "red", "green", "yellow", "blue", "magenta", "cyan", ""] as const;
const MOST_SATURATED = 40;
// CSI sequences, OSC sequences (titles, links), and other two-letter escapes.
const ESCAPE = /\u001b(?:\[([0-9;:]*)([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

interface Look {
  colour: string;
  bold: boolean;
  faint: boolean;
  underlined: boolean;
}

const PLAIN: Look = { colour: "", bold: false, faint: false, underlined: false };

/** What a line shows at last: a carriage return begins it anew. */
function last(line: string): string {
  const text = line.replace(/\r+$/, "");
  return text.slice(text.lastIndexOf("\r") + 1);
}

/** The lines without what terminals alone understand. */
export function plainLine(line: string): string {
  return last(line).replace(ESCAPE, "");
}

/** Lines as coloured pieces; colours go on from line to line until they are ended. */
export function ansiLines(lines: readonly string[]): Piece[][] {
  let look = PLAIN;
  return lines.map((line) => {
    const pieces: Piece[] = [];
    const text = last(line);
    let from = 0;
    const add = (piece: string) => piece && pieces.push({ text: piece, style: styleOf(look) });
    for (const match of text.matchAll(ESCAPE)) {
      add(text.slice(from, match.index));
      from = match.index + match[0].length;
      if (match[2] === "m") look = changed(look, (match[1] ?? "").split(/[;:]/).map(Number));
    }
    add(text.slice(from));
    return pieces;
  });
}

function styleOf({ colour, bold, faint, underlined }: Look): string {
  return [colour && `ansi-${colour}`, bold && "ansi-bold", faint && "soft", underlined && "ansi-underlined"].filter(Boolean).join(" ");
}

function changed(look: Look, codes: readonly number[]): Look {
  let next = { ...look };
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 0) next = { ...PLAIN };
    else if (code === 1) next.bold = true;
    else if (code === 2) next.faint = true;
    else if (code === 4) next.underlined = true;
    else if (code === 22) Object.assign(next, { bold: false, faint: false });
    else if (code === 24) next.underlined = false;
    else if (code === 39) next.colour = "";
    else if (code >= 30 && code <= 37) next.colour = NAMES[code - 30] ?? "";
    else if (code >= 90 && code <= 97) next.colour = NAMES[code - 90] ?? "";
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(codes.slice(at + 1));
      if (code === 38) next.colour = colour;
      at += used;
    }
  }
  return next;
}

/** A colour of 256 or of red, green and blue, as the nearest of those that both themes show well; and how many codes it takes. */
function extended([kind, ...rest]: readonly number[]): [string, number] {
  if (kind === 2) return [hue(rest[0] ?? 0, rest[1] ?? 0, rest[2] ?? 0), 4];
  if (kind !== 5) return ["", 0];
  const index = rest[0] ?? 0;
  if (index < 16) return [NAMES[index % 8] ?? "", 2];
  if (index > 231) return ["", 2];
  const cube = index - 16;
  return [hue(Math.floor(cube / 36) * 51, (Math.floor(cube / 6) % 6) * 51, (cube % 6) * 51), 2];
}

function hue(red: number, green: number, blue: number): string {
  const [most, least] = [Math.max(red, green, blue), Math.min(red, green, blue)];
  if (most - least < MOST_SATURATED) return "";
  const middle = (most + least) / 2;
  const at = (red > middle ? 1 : 0) + (green > middle ? 2 : 0) + (blue > middle ? 4 : 0);
  return NAMES[at] ?? "";
}
