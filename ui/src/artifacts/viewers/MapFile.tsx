import { useMemo } from "react";
import { counted, number } from "@/base/format";
import { outlines } from "@/artifacts/geo";
import { parseJson } from "@/artifacts/json";
import { useText } from "@/artifacts/place";
import type { FileProps } from "@/artifacts/Viewer";
import { Loaded } from "@/parts/States";

/** The outlines of a GeoJSON file. */
export default function MapFile({ place, path }: FileProps) {
  const text = useText(place, path);
  return <Loaded query={text} what="The file">{(read) => <Outlined text={read} />}</Loaded>;
}

function Outlined({ text }: { text: string }) {
  const drawn = useMemo(() => outlines(parseJson(text)), [text]);
  if (!drawn) return <p className="artifacts-note soft">There is no geometry in it.</p>;
  const [west, south, east, north] = drawn.bounds.map((degrees) => number(degrees));
  const said = [[drawn.areas.length, "area"], [drawn.lines.length, "line"], [drawn.points.length, "point"]] as const;
  const summary = said.filter(([many]) => many > 0).map(([many, word]) => counted(many, word)).join(", ");
  const radius = Math.max(drawn.box[2], drawn.box[3]) / 160;
  return (
    <>
      <div className="artifacts-bar"><span className="soft" role="status">{summary}; {west}° to {east}° east, {south}° to {north}° north</span></div>
      <div className="map">
        <svg viewBox={drawn.box.join(" ")} role="img" aria-label={`Map of ${summary}`} preserveAspectRatio="xMidYMid meet">
          {drawn.areas.map((d, at) => <path key={`area ${at}`} d={d} fillRule="evenodd" />)}
          {drawn.lines.map((d, at) => <path key={`line ${at}`} d={d} className="map-line" />)}
          {drawn.points.map(([x, y], at) => <circle key={`point ${at}`} cx={x} cy={y} r={radius} />)}
        </svg>
      </div>
    </>
  );
}
