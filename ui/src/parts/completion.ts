// What the filter language allows at a place of a text: the words for completion. The server holds the grammar.
import { quotedKey, type KeyKind, type Vocabulary } from "@/parts/filter";

const STATUSES = ["FINISHED", "RUNNING", "FAILED", "KILLED", "SCHEDULED"];
const FUNCTIONS = ["min", "max", "first", "last", "best_step"];
const FOR_NUMBERS = ["<", ">", "<=", ">=", "=", "!=", "BETWEEN", "IN", "IS NULL", "IS NOT NULL"];
const FOR_TEXTS = ["=", "!=", "LIKE", "ILIKE", "IN", "MATCHES", "BETWEEN", "IS NULL", "IS NOT NULL"];
const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_./-]*$/;

/** What could stand at the cursor: words to choose from, or keys to look up; `from` is where the word begins. */
export interface Place {
  from: number;
  prefix: string;
  words: readonly string[];
  keys: { kind: KeyKind; before: string } | null;
}

const TOKEN = /`[^`]*`?|'[^']*'?|"[^"]*"?|<=|>=|!=|[<>=(),]|[^\s<>=!(),'"`]+(?:`[^`]*`?|"[^"]*"?)?|!/g;

interface Token {
  text: string;
  at: number;
}

export function placeOf(filter: string, cursor: number, vocabulary: Vocabulary): Place {
  const tokens: Token[] = [...filter.slice(0, cursor).matchAll(TOKEN)].map((match) => ({ text: match[0], at: match.index }));
  const last = tokens[tokens.length - 1];
  const within = last !== undefined && last.at + last.text.length === cursor && !/^[<>=(),!]+$/.test(last.text) ? last : null;
  const done = within ? tokens.slice(0, -1) : tokens;
  const prefix = within?.text ?? "";
  const from = within?.at ?? cursor;
  const place = (words: readonly string[], keys: Place["keys"] = null): Place => ({ from, prefix, words, keys });
  const previous = done[done.length - 1]?.text ?? "";
  const two = done[done.length - 2]?.text ?? "";
  if (done.length === 0 || /^(?:AND|OR|NOT|\()$/i.test(previous)) {
    const [head, ...rest] = prefix.split(".");
    const kind = vocabulary.prefixes[head ?? ""];
    if (kind && rest.length) return place([], { kind, before: rest.join(".").replace(/^[`"]/, "") });
    const inCall = previous === "(" && FUNCTIONS.includes(two.toLowerCase());
    return place([
      ...Object.keys(vocabulary.prefixes).map((name) => `${name}.`),
      ...(inCall ? [] : Object.keys(vocabulary.attributes)),
      ...(inCall || !vocabulary.functions ? [] : FUNCTIONS.map((name) => `${name}(`)),
      ...(inCall ? [] : ["NOT"]),
    ]);
  }
  if (isField(previous, vocabulary) && !/^(?:<|>|=|<=|>=|!=)$/.test(two)) return place(isNumber(previous, vocabulary) ? FOR_NUMBERS : FOR_TEXTS);
  if (previous === ")") return place(closesCall(done) ? FOR_NUMBERS : ["AND", "OR"]);
  if (/^(?:=|!=|<|>|<=|>=|LIKE|ILIKE)$/i.test(previous)) return place(two === "status" || two === "attributes.status" ? STATUSES.map((word) => `'${word}'`) : []);
  if (/^(?:IS|BETWEEN|IN|MATCHES)$/i.test(previous)) return place(/^IS$/i.test(previous) ? ["NULL", "NOT NULL"] : []);
  return place(["AND", "OR"]);
}

function isField(token: string, vocabulary: Vocabulary): boolean {
  const [head, ...rest] = token.replace(/^attributes\./, "").split(".");
  return token in vocabulary.attributes || (head ?? "") in vocabulary.attributes || ((head ?? "") in vocabulary.prefixes && rest.join("") !== "");
}

function isNumber(token: string, vocabulary: Vocabulary): boolean {
  const name = token.replace(/^attributes\./, "");
  return vocabulary.attributes[name] === "number" || vocabulary.prefixes[name.split(".")[0] ?? ""] === "metric";
}

function closesCall(tokens: readonly Token[]): boolean {
  let depth = 0;
  for (let at = tokens.length - 1; at >= 0; at -= 1) {
    const text = tokens[at]?.text;
    if (text === ")") depth += 1;
    if (text === "(") depth -= 1;
    if (depth === 0) return FUNCTIONS.includes(tokens[at - 1]?.text.toLowerCase() ?? "");
  }
  return false;
}

/** The text and cursor after a word has been chosen. */
export function completed(filter: string, cursor: number, place: Place, word: string): [string, number] {
  const after = filter.slice(cursor);
  const open = word.endsWith(".") || word.endsWith("(");
  const chosen = open || after.startsWith(" ") ? word : `${word} `;
  return [filter.slice(0, place.from) + chosen + after, place.from + chosen.length];
}

/** A looked-up key as the word that stands for it: with its prefix, quoted where it must be. */
export function keyWord(place: Place, key: string): string {
  const head = place.prefix.split(".")[0] ?? "";
  return `${head}.${PLAIN_KEY.test(key) && !key.includes("-") ? key : quotedKey(key)}`;
}
