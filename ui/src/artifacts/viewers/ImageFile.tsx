import { useState } from "react";
import { contentAddress, nameOf, type Place } from "@/artifacts/place";
import type { FileProps } from "@/artifacts/Viewer";
import { Switch } from "@/parts/Tabs";

/** A picture, as large as there is room, or pixel for pixel; beside it the one of the same name elsewhere. */
export default function ImageFile({ place, path, beside }: FileProps) {
  const [size, setSize] = useState<"fit" | "exact">("fit");
  const [said, setSaid] = useState("");
  return (
    <>
      <div className="artifacts-bar">
        <Switch label="Size" options={[["fit", "Fit"], ["exact", "1:1"]]} value={size} onChange={setSize} />
        <span className="soft figure" role="status">{said}</span>
      </div>
      <div className="images">
        <Picture place={place} path={path} alt={nameOf(path)} fit={size === "fit"} onSaid={setSaid} />
        {beside && <Picture place={beside.place} path={path} alt={`${nameOf(path)} of ${beside.name}`} fit={size === "fit"} />}
      </div>
    </>
  );
}

interface PictureProps {
  place: Place;
  path: string;
  alt: string;
  fit: boolean;
  /** Told how large it is, or that it cannot be shown. */
  onSaid?: (text: string) => void;
}

function Picture({ place, path, alt, fit, onSaid }: PictureProps) {
  const [failed, setFailed] = useState(false);
  return (
    <div className={fit ? "image-place fit" : "image-place"} tabIndex={0} role="region" aria-label={`Picture: ${alt}`}>
      {failed ? <p className="soft">{onSaid ? "This browser cannot show it." : `There is no ${alt}.`}</p> : (
        <img
          src={contentAddress(place, path)} alt={alt} onError={() => setFailed(true)}
          onLoad={(event) => onSaid?.(`${event.currentTarget.naturalWidth} × ${event.currentTarget.naturalHeight} pixels`)}
        />
      )}
    </div>
  );
}
