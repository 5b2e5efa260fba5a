import { useText } from "@/artifacts/place";
import type { FileProps } from "@/artifacts/Viewer";
import { Markdown } from "@/parts/Sanitised";
import { Loaded } from "@/parts/States";

/** Markdown. */
export default function ProseFile({ place, path }: FileProps) {
  const text = useText(place, path);
  return <Loaded query={text} what="The file">{(read) => <div className="artifacts-body scroll" tabIndex={0} role="region" aria-label="Text"><Markdown text={read} /></div>}</Loaded>;
}
