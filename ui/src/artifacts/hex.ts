// Bytes as they are usually written down: an offset, sixteen bytes, their characters.
import { bytesOf } from "@/artifacts/kinds";

const ROW = 16;

export function dump(digits: string): string {
  const bytes = [...bytesOf(digits)];
  const rows = Array.from({ length: Math.ceil(bytes.length / ROW) }, (_, at) => bytes.slice(at * ROW, (at + 1) * ROW));
  return rows.map((row, at) => {
    const pairs = row.map((byte) => byte.toString(16).padStart(2, "0"));
    const halves = [pairs.slice(0, ROW / 2).join(" "), pairs.slice(ROW / 2).join(" ")].join("  ");
    const characters = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    return `${(at * ROW).toString(16).padStart(8, "0")}  ${halves.padEnd(ROW * 3)}  ${characters}`;
  }).join("\n");
}
