import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { bytes, count, counted } from "@/base/format";
import { ansiLines, plainLine, type Piece } from "@/artifacts/ansi";
import { ARTIFACTS_KEY, readLines, type Lines as Part, type Place } from "@/artifacts/place";
import { Lines, MOST_LINES } from "@/artifacts/viewers/Lines";
import { IconButton } from "@/parts/Button";
import { ErrorCard, Loading } from "@/parts/States";
import { Switch } from "@/parts/Tabs";

const PART = 5000;
const TAIL_BYTES = 400_000;
const NEAR = 300;
const FOLLOWED_MS = 2000;
// A search reads on until it has seen as many lines.
const MOST_SEARCHED = 200_000;

interface Props {
  place: Place;
  path: string;
  /** In bytes; undefined if it is not known. */
  size?: number;
  /** Whether it is still written: its end is read again and again. */
  followed: boolean;
}

/** The output of a program: in the colours it has in a terminal, followed while it is written, with a search. */
export function LogFile({ place, path, size, followed }: Props) {
  const [start, setStart] = useState<"first" | "last">(followed ? "last" : "first");
  const [find, setFind] = useState("");
  const [chosen, setChosen] = useState(0);
  const parts = useInfiniteQuery({
    queryKey: [ARTIFACTS_KEY, place.base, "log", path, start],
    queryFn: ({ pageParam, signal }) => readLines(place, { path, offset: pageParam, limit: PART }, signal),
    initialPageParam: start === "last" ? -TAIL_BYTES : 0,
    getNextPageParam: (last: Part) => (last.more ? last.next_offset : undefined),
    refetchInterval: followed && start === "last" ? FOLLOWED_MS : false,
  });
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = parts;
  const lines = useMemo(() => (data?.pages ?? []).flatMap((part) => part.lines), [data]);
  const pieces = useMemo(() => ansiLines(lines), [lines]);
  const wanted = find.trim().toLowerCase();
  const found = useMemo(() => (wanted ? lines.flatMap((line, at) => (plainLine(line).toLowerCase().includes(wanted) ? [at] : [])) : []), [lines, wanted]);
  // The end is read to its end; a search reads all there is.
  const readOn = hasNextPage && (start === "last" || (wanted !== "" && lines.length < MOST_SEARCHED));
  useEffect(() => {
    if (readOn && !isFetchingNextPage) void fetchNextPage();
  }, [readOn, isFetchingNextPage, fetchNextPage, lines.length]);
  const at = found[Math.min(chosen, found.length - 1)];
  const target = wanted ? at : start === "last" ? lines.length - 1 : undefined;
  const shown = useMemo(() => (target === undefined ? null : { line: target }), [target]);
  if (parts.error) return <ErrorCard what="The log could not be loaded" error={parts.error} onRetry={() => void parts.refetch()} />;
  if (!data) return <Loading />;
  const from = data.pages[0]?.offset === 0 ? 1 : null;
  const step = (by: number) => found.length > 0 && setChosen((Math.min(chosen, found.length - 1) + by + found.length) % found.length);
  return (
    <>
      <div className="artifacts-bar">
        <Switch label="Which part" options={[["first", "From the first line"], ["last", followed ? "Follow the end" : "The end"]]} value={start} onChange={setStart} />
        <input
          type="search" className="input" aria-label="Search the log" placeholder="Search the log" value={find} spellCheck={false}
          onChange={(event) => {
            setFind(event.target.value);
            setChosen(0);
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            step(event.shiftKey ? -1 : 1);
          }}
        />
        {wanted !== "" && <>
          <span className="soft figure" role="status">{found.length === 0 ? (readOn ? "searching…" : "not found") : `${Math.min(chosen, found.length - 1) + 1} of ${counted(found.length, "line")}`}</span>
          <IconButton icon="arrowUp" label="Line found before" onClick={() => step(-1)} disabled={found.length === 0} />
          <IconButton icon="arrowDown" label="Next line found" keys="Enter" onClick={() => step(1)} disabled={found.length === 0} />
        </>}
        <span className="grow" />
        <span className="soft figure">{from === null ? `the last ${counted(lines.length, "line")}` : hasNextPage ? `${count(lines.length)} lines read` : counted(lines.length, "line")}, {bytes(data.pages[data.pages.length - 1]?.size ?? size ?? 0)}</span>
      </div>
      <Lines
        key={start} label="Log" count={Math.min(lines.length, MOST_LINES)} shown={shown}
        onSight={(_, last) => {
          if (last + NEAR > lines.length && hasNextPage && !isFetchingNextPage && lines.length < MOST_LINES) void fetchNextPage();
        }}
        row={(index) => (
          <div key={index} className={wanted && index === at ? "lines-row found" : "lines-row"}>
            {from !== null && <span className="lines-number" aria-hidden="true">{from + index}</span>}
            <span className={from === null ? "lines-tail" : undefined}><Pieces pieces={pieces[index] ?? []} wanted={wanted} /></span>
          </div>
        )}
      />
    </>
  );
}

function Pieces({ pieces, wanted }: { pieces: readonly Piece[]; wanted: string }) {
  return <>{pieces.map(({ text, style }, at) => <span key={at} className={style || undefined}><Marked text={text} wanted={wanted} /></span>)}</>;
}

/** A text in which what is looked for is marked. */
function Marked({ text, wanted }: { text: string; wanted: string }) {
  if (!wanted) return text;
  const parts: { text: string; hit: boolean }[] = [];
  const lower = text.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    parts.push({ text: text.slice(from, at), hit: false }, { text: text.slice(at, at + wanted.length), hit: true });
    from = at + wanted.length;
  }
  parts.push({ text: text.slice(from), hit: false });
  return <>{parts.map((part, at) => (part.hit ? <mark key={at}>{part.text}</mark> : part.text))}</>;
}
