import { contentAddress, nameOf } from "@/artifacts/place";
import type { FileProps } from "@/artifacts/Viewer";

/** Sound and film; the browser reads the part it plays. */
export default function MediaFile({ place, path, facts }: FileProps) {
  const src = contentAddress(place, path);
  return (
    <div className="media">
      {facts.kind === "audio" ? <audio controls preload="metadata" src={src} aria-label={nameOf(path)} /> : <video controls preload="metadata" src={src} aria-label={nameOf(path)} />}
    </div>
  );
}
