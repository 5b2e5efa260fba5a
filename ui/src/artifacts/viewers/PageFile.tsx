import { useState } from "react";
import { contentAddress, nameOf } from "@/artifacts/place";
import type { FileProps } from "@/artifacts/Viewer";
import { Button } from "@/parts/Button";

/**
 * HTML and SVG in an origin of their own: the frame's sandbox and the policy that the server sends with the file leave
 * them no way to the server or the page. Scripts from the internet only for who asks, for this file.
 */
export default function PageFile({ place, path, facts }: FileProps) {
  const [internet, setInternet] = useState(false);
  return (
    <>
      {facts.type !== "image/svg+xml" && (
        <div className="artifacts-bar">
          <span className="soft grow">Shown in a sandbox: it reaches neither the server nor the network.</span>
          <Button pressed={internet} tip="Plots that load their library from the internet need it" onClick={() => setInternet(!internet)}>{internet ? "Scripts of the internet are allowed" : "Allow scripts of the internet"}</Button>
        </div>
      )}
      <iframe
        key={String(internet)} className="artifacts-frame" title={nameOf(path)} sandbox="allow-scripts" referrerPolicy="no-referrer"
        src={contentAddress(place, path, internet ? { scripts: "internet" } : {})}
      />
    </>
  );
}
