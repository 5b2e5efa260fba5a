import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { bytes, count } from "@/base/format";
import { useTokens } from "@/artifacts/highlight";
import { languageOf } from "@/artifacts/kinds";
import { ARTIFACTS_KEY, readLines, type Lines as Part, type Place } from "@/artifacts/place";
import { Coloured } from "@/artifacts/viewers/Coloured";
import { Lines, MOST_LINES } from "@/artifacts/viewers/Lines";
import type { FileProps } from "@/artifacts/Viewer";
import { Button } from "@/parts/Button";
import { ErrorCard, Loading } from "@/parts/States";
import { Switch } from "@/parts/Tabs";

const PART = 1000;
const TAIL_BYTES = 200_000;
const NEAR = 300;

type Start = "first" | "last";

export default function TextFile({ place, path, facts }: FileProps) {
  return <Text place={place} path={path} size={facts.size} />;
}

interface Props {
  place: Place;
  path: string;
  /** In bytes; undefined if it is not known. */
  size?: number;
}

/** A text of any size, of which what is in sight is read: from its beginning, or its end. */
export function Text({ place, path, size }: Props) {
  const [start, setStart] = useState<Start>("first");
  const parts = useInfiniteQuery({
    queryKey: [ARTIFACTS_KEY, place.base, "lines", path, start],
    queryFn: ({ pageParam, signal }) => readLines(place, { path, offset: pageParam, limit: start === "last" ? 5 * PART : PART }, signal),
    initialPageParam: start === "last" ? -TAIL_BYTES : 0,
    getNextPageParam: (last: Part) => (last.more ? last.next_offset : undefined),
  });
  const pages = parts.data?.pages;
  const lines = useMemo(() => (pages ?? []).flatMap((part) => part.lines), [pages]);
  const code = useMemo(() => lines.slice(0, 5 * PART).join("\n"), [lines]);
  const tokens = useTokens(code, languageOf(path));
  if (parts.error) return <ErrorCard what="The text could not be loaded" error={parts.error} onRetry={() => void parts.refetch()} />;
  if (!pages) return <Loading />;
  const from = pages[0]?.offset === 0 ? 1 : null;
  const whole = !parts.hasNextPage && from === 1;
  const known = size ?? pages[0]?.size ?? 0;
  return (
    <>
      {!whole && (
        <div className="artifacts-bar">
          <Switch label="Which part" options={[["first", "From the first line"], ["last", "The end"]]} value={start} onChange={setStart} />
          <span className="soft figure" role="status">{from === null ? `the last ${count(lines.length)} lines` : `${count(lines.length)} lines read`} of {bytes(known)}</span>
        </div>
      )}
      <Lines
        key={start} label="Text" count={Math.min(lines.length, MOST_LINES)} shown={start === "last" ? { line: lines.length - 1 } : null}
        onSight={(_, last) => {
          if (last + NEAR > lines.length && parts.hasNextPage && !parts.isFetchingNextPage && lines.length < MOST_LINES) void parts.fetchNextPage();
        }}
        row={(index) => (
          <div key={index} className="lines-row">
            {from !== null && <span className="lines-number" aria-hidden="true">{from + index}</span>}
            <span className={from === null ? "lines-tail" : undefined}>{tokens?.[index] ? <Coloured tokens={tokens[index]} /> : lines[index]}</span>
          </div>
        )}
      />
      {lines.length >= MOST_LINES && <div className="artifacts-bar soft">What follows can be downloaded.<Button onClick={() => setStart("last")}>The end</Button></div>}
    </>
  );
}
