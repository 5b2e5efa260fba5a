// Code coloured by highlight.js, as tokens: what it writes is read back and put on the page as text.
import { useQuery } from "@tanstack/react-query";
import type { HLJSApi } from "highlight.js";

export interface Token {
  text: string;
  /** The scope that it has, as in "keyword"; "" for none. */
  scope: string;
}

const ENTITIES: Record<string, string> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'" };
const PART = /<span class="([^"]*)">|<\/span>|([^<]+)/g;

/** The lines of highlight.js' markup, each as its tokens. */
export function tokensOf(markup: string): Token[][] {
  const lines: Token[][] = [[]];
  const scopes: string[] = [];
  for (const [part, opened, text] of markup.matchAll(PART)) {
    if (opened !== undefined) scopes.push(/hljs-([\w-]+)/.exec(opened)?.[1] ?? "");
    else if (text === undefined) scopes.pop();
    else {
      const plain = part.replace(/&(?:amp|lt|gt|quot|#x27);/g, (entity) => ENTITIES[entity] ?? entity);
      plain.split("\n").forEach((piece, at) => {
        if (at > 0) lines.push([]);
        if (piece) lines[lines.length - 1]?.push({ text: piece, scope: scopes[scopes.length - 1] ?? "" });
      });
    }
  }
  return lines;
}

let library: Promise<HLJSApi> | null = null;

/** highlight.js with the languages that files of runs are written in. */
function load() {
  library ??= import("@/artifacts/languages").then(({ highlighter }) => highlighter, (error: unknown) => {
    library = null;
    throw error;
  });
  return library;
}

const MOST_CHARACTERS = 400_000;

/** The lines of a code as tokens; undefined while they are not known, or if there is no such language. */
export function useTokens(code: string, language: string | null): readonly (readonly Token[])[] | undefined {
  const { data } = useQuery({
    queryKey: ["tokens", language, code],
    queryFn: async () => {
      const highlighter = await load();
      return language && highlighter.getLanguage(language) ? tokensOf(highlighter.highlight(code, { language, ignoreIllegals: true }).value) : [];
    },
    enabled: language !== null && code.length > 0 && code.length <= MOST_CHARACTERS,
    staleTime: Infinity, gcTime: 60_000, structuralSharing: false,
  });
  return data?.length ? data : undefined;
}
