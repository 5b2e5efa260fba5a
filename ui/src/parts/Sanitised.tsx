// The one module that puts markup from outside into the page, after DOMPurify has been over it.
import { useEffect, useRef, useState } from "react";
import { Loading } from "@/parts/States";

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
  return loaded;
}

/** Markdown as text with headings, lists, tables and code; images only where they lie in the text. */
export function Markdown({ text }: { text: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [ready, setReady] = useState(false);
  useEffect(() => {
    let current = true;
    void load().then((render) => {
      if (!current || !place.current) return;
      place.current.innerHTML = render(text);
      setReady(true);
    });
    return () => {
      current = false;
    };
  }, [text]);
  return <>{!ready && <Loading />}<div ref={place} className="prose" /></>;
}
