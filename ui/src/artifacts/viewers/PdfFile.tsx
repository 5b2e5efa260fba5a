import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { ask, withQuery } from "@/api/client";
import { ARTIFACTS_KEY, nameOf } from "@/artifacts/place";
import type { FileProps } from "@/artifacts/Viewer";
import { Loaded } from "@/parts/States";

/** A PDF in the browser's own viewer, which works in no sandbox: its bytes are given to it as a PDF and as nothing else. */
export default function PdfFile({ place, path }: FileProps) {
  const query = useQuery({
    queryKey: [ARTIFACTS_KEY, place.base, "pdf", path],
    queryFn: async ({ signal }) => (await ask("GET", withQuery(`${place.base}/content`, { path }), undefined, signal)).arrayBuffer(),
    structuralSharing: false,
  });
  return <Loaded query={query} what="The document">{(bytes) => <Pdf bytes={bytes} name={nameOf(path)} />}</Loaded>;
}

function Pdf({ bytes, name }: { bytes: ArrayBuffer; name: string }) {
  const frame = useRef<HTMLIFrameElement>(null);
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([bytes], { type: "application/pdf" }));
    if (frame.current) frame.current.src = made;
    return () => URL.revokeObjectURL(made);
  }, [bytes]);
  return <iframe ref={frame} className="artifacts-frame" title={name} />;
}
