// The one module that puts markup from outside into the page, after DOMPurify has been over it.
import { useEffect, useRef, useState } from "react";
import { ErrorCard, Loading } from "@/parts/States";

type Render = (markdown: string) => string;

let loaded: Promise<Render> | null = null;

function load(): Promise<Render> {
  loaded ??= Promise.all([import("marked"), import("dompurify")]).then(([{ marked }, { default: purify }]) => {
    purify.addHook("afterSanitizeAttributes", (node) => {
      if (node.tagName !== "A") return;
      node.setAttribute("rel", "noopener noreferrer");
      node.setAttribute("target", "_blank");
    });
    return (markdown: string) => purify.sanitize(marked.parse(markdown, { async: false, gfm: true }), {
      FORBID_TAGS: ["style", "form", "input", "button", "iframe", "svg", "math", "audio", "video"],
      FORBID_ATTR: ["style", "class", "id", "name"],
      ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#|data:image\/(?:png|jpeg|gif|webp);)/i,
    });
  });
  // What did not arrive is asked for again by the next text.
  loaded.catch(() => {
    loaded = null;
  });
  return loaded;
}

/** Markdown as text with headings, lists, tables and code; images only where they lie in the text. */
export function Markdown({ text }: { text: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [ready, setReady] = useState(false);
  const [failed, setFailed] = useState<unknown>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let current = true;
    load().then((render) => {
      if (!current || !place.current) return;
      place.current.innerHTML = render(text);
      setReady(true);
      setFailed(null);
    }, (error: unknown) => current && setFailed(error));
    return () => {
      current = false;
    };
  }, [text, turn]);
  return (
    <>
      {failed !== null ? <ErrorCard what="The text could not be shown" error={failed} onRetry={() => setTurn(turn + 1)} /> : !ready && <Loading />}
      <div ref={place} className="prose" />
    </>
  );
}
