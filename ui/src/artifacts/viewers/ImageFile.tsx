import { useState } from "react";
import { contentAddress, nameOf } from "@/artifacts/place";
import type { FileProps } from "@/artifacts/Viewer";
import { Switch } from "@/parts/Tabs";

/** A picture, as large as there is room, or pixel for pixel. */
export default function ImageFile({ place, path }: FileProps) {
  const [size, setSize] = useState<"fit" | "exact">("fit");
  const [pixels, setPixels] = useState("");
  const [failed, setFailed] = useState(false);
  return (
    <>
      <div className="artifacts-bar">
        <Switch label="Size" options={[["fit", "Fit"], ["exact", "1:1"]]} value={size} onChange={setSize} />
        <span className="soft figure" role="status">{failed ? "This browser cannot show it." : pixels}</span>
      </div>
      <div className={size === "fit" ? "image-place fit" : "image-place"} tabIndex={0} role="region" aria-label="Picture">
        <img
          src={contentAddress(place, path)} alt={nameOf(path)} onError={() => setFailed(true)}
          onLoad={(event) => setPixels(`${event.currentTarget.naturalWidth} × ${event.currentTarget.naturalHeight} pixels`)}
        />
      </div>
    </>
  );
}
