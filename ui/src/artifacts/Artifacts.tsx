import { useQueries } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { bytes, counted } from "@/base/format";
import { useKeys } from "@/base/keys";
import { foldersAbove, folderQuery, located, mounted, nameOf, zipAddress, type Place } from "@/artifacts/place";
import { Viewer, type Beside, type ModelWays } from "@/artifacts/Viewer";
import { ErrorCard, Loading } from "@/parts/States";
import { Icon } from "@/parts/Icon";
import { Tree, type TreeNode } from "@/parts/Tree";
import "@/artifacts/artifacts.css";

export interface Choice {
  /** The file or folder that is shown, as it is called in the tree. */
  path: string;
  /** How it is looked at; "" for the usual way. */
  look: string;
}

interface Props extends Choice {
  /** Where the files are: one place at the root, others as folders beside its files. */
  places: readonly Place[];
  /** Another place with files of the same names: its pictures are shown beside those of the first. */
  beside?: Beside;
  /** `push`: a step that the browser's Back undoes. */
  onChange: (change: Partial<Choice>, push: boolean) => void;
  model: ModelWays;
  /** Shown when there are no files at all. */
  empty: ReactNode;
}

const AT_ONCE = 500;
const MORE = "\0more ";
const MODEL_FILE = "MLmodel";

/** Files as a tree, and the chosen one in the viewer of its kind. */
export function Artifacts({ places, beside, path, look, onChange, model, empty }: Props) {
  const [opened, setOpened] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [limits, setLimits] = useState<ReadonlyMap<string, number>>(new Map());
  const above = foldersAbove(places, path);
  const open = new Set([...above, ...[...opened.keys()]].filter((folder) => opened.get(folder) ?? true));
  const wanted = [...new Set([...places.filter(({ mount }) => mount === "").map(() => ""), ...above, ...open])];
  const results = useQueries({
    queries: wanted.map((folder) => {
      const found = located(places, folder);
      return found ? folderQuery(found.place, found.path) : { queryKey: ["no place", folder], queryFn: () => [] };
    }),
  });
  const listing = new Map(wanted.map((folder, at) => [folder, results[at]] as const));
  const nodesOf = (folder: string): readonly TreeNode[] | null => {
    const entries = listing.get(folder)?.data;
    const found = located(places, folder);
    if (!entries || !found) return null;
    const limit = limits.get(folder) ?? AT_ONCE;
    const nodes = entries.slice(0, limit).map((entry): TreeNode => ({
      id: mounted(found.place, entry.path), name: nameOf(entry.path), folder: entry.is_dir,
      detail: entry.is_dir || entry.file_size === null || entry.file_size === undefined ? undefined : bytes(entry.file_size),
    }));
    return entries.length > limit ? [...nodes, { id: MORE + folder, name: counted(entries.length - limit, "more entry", "more entries"), icon: "add" }] : nodes;
  };
  const others = places.filter(({ mount }) => mount !== "").map((place): TreeNode => ({ id: place.mount, name: place.title, folder: true, icon: "model" }));
  const root = places.some(({ mount }) => mount === "") ? listing.get("") : undefined;
  const roots = [...others, ...(nodesOf("") ?? [])];
  const order = files(roots, nodesOf, open);
  // What is open above a file stays open when another is chosen.
  const choose = (next: string, push: boolean) => {
    setOpened(new Map([...above.map((folder) => [folder, true] as const), ...opened]));
    onChange({ path: next, look: "" }, push);
  };
  const walk = (step: number) => {
    const at = order.indexOf(path);
    const next = order[at < 0 ? 0 : at + step];
    if (next !== undefined) choose(next, false);
  };
  useKeys([
    { keys: "j", what: "Next file", group: "Artifacts", run: () => walk(1) },
    { keys: "k", what: "File before", group: "Artifacts", run: () => walk(-1) },
  ]);
  if (root?.error) return <ErrorCard what="The files could not be loaded" error={root.error} onRetry={() => void root.refetch()} />;
  if (root?.isPending) return <Loading />;
  if (roots.length === 0) return <>{empty}</>;
  const select = (node: TreeNode) => {
    if (node.id.startsWith(MORE)) {
      const folder = node.id.slice(MORE.length);
      setLimits(new Map(limits).set(folder, (limits.get(folder) ?? AT_ONCE) + AT_ONCE));
    } else if (node.folder) onChange({ path: node.id, look: "" }, true);
    else choose(node.id, true);
  };
  const shown = path === "" ? null : located(places, path);
  const isFolder = shown !== null && (shown.path === "" || isFolderIn(path, (folder) => listing.get(folder)?.data, places, open));
  return (
    <div className="artifacts">
      <div className="artifacts-tree scroll">
        <Tree label="Files" roots={roots} childrenOf={nodesOf} open={open} onToggle={(id, on) => setOpened(new Map(opened).set(id, on))} selected={path || null} onSelect={select} />
      </div>
      <div className="artifacts-view">
        {shown === null ? <Whole places={places} counts={roots.length} />
          : isFolder ? <Folder place={shown.place} path={shown.path} tree={path} model={model} onOpen={(next) => choose(next, true)} />
            : <Viewer key={path} place={shown.place} path={shown.path} look={look} beside={shown.place.mount === "" ? beside : undefined} onLook={(next) => onChange({ look: next }, false)} model={model} />}
      </div>
    </div>
  );
}

type Entries = readonly { path: string; is_dir: boolean }[] | undefined;

function isFolderIn(path: string, entriesOf: (folder: string) => Entries, places: readonly Place[], open: ReadonlySet<string>): boolean {
  if (open.has(path)) return true;
  const found = located(places, path);
  const parent = foldersAbove(places, path).at(-1) ?? "";
  return entriesOf(parent)?.some((entry) => entry.is_dir && entry.path === found?.path) ?? false;
}

/** The files that are to be seen in the tree, in their order. */
function files(nodes: readonly TreeNode[], childrenOf: (id: string) => readonly TreeNode[] | null, open: ReadonlySet<string>): string[] {
  return nodes.flatMap((node) => (node.folder ? (open.has(node.id) ? files(childrenOf(node.id) ?? [], childrenOf, open) : []) : node.id.startsWith(MORE) ? [] : [node.id]));
}

function Whole({ places, counts }: { places: readonly Place[]; counts: number }) {
  const root = places.find(({ mount }) => mount === "");
  return (
    <div className="artifacts-folder stack">
      <p>Choose a file; <kbd>j</kbd> and <kbd>k</kbd> walk through them.</p>
      {root && <div className="line"><a className="button" href={zipAddress(root, "")} download><Icon name="download" />Download all as zip</a><span className="soft">{counted(counts, "entry", "entries")} at the top</span></div>}
    </div>
  );
}

interface FolderProps {
  place: Place;
  path: string;
  /** The folder as it is called in the tree. */
  tree: string;
  model: ModelWays;
  onOpen: (path: string) => void;
}

/** What a folder holds, with its download; a model in it is described. */
function Folder({ place, path, tree, model, onOpen }: FolderProps) {
  const [result] = useQueries({ queries: [folderQuery(place, path)] });
  if (result.error) return <ErrorCard what="The folder could not be loaded" error={result.error} onRetry={() => void result.refetch()} />;
  if (!result.data) return <Loading />;
  const sizes = result.data.flatMap((entry) => (entry.is_dir ? [] : [entry.file_size ?? 0]));
  const description = result.data.find((entry) => nameOf(entry.path) === MODEL_FILE);
  return (
    <div className="artifacts-file">
      <div className="artifacts-head">
        <h2 className="grow cut">{path ? nameOf(path) : place.title}</h2>
        <span className="soft figure">{counted(result.data.length, "entry", "entries")}{sizes.length > 0 && `, ${bytes(sizes.reduce((sum, size) => sum + size, 0))} of files`}</span>
        {description && model.actions?.(place, path)}
        <a className="button" href={zipAddress(place, path)} download><Icon name="download" />Download as zip</a>
      </div>
      {description ? <Viewer.Model place={place} path={description.path} model={model} /> : (
        <ul className="artifacts-entries scroll" tabIndex={0} aria-label="Entries">
          {result.data.slice(0, AT_ONCE).map((entry) => (
            <li key={entry.path}><button type="button" className="menu-item" onClick={() => onOpen(tree ? `${tree}/${nameOf(entry.path)}` : entry.path)}>
              <Icon name={entry.is_dir ? "folder" : "file"} /><span className="grow cut">{nameOf(entry.path)}</span>
              {!entry.is_dir && <span className="soft figure">{bytes(entry.file_size ?? 0)}</span>}
            </button></li>
          ))}
        </ul>
      )}
    </div>
  );
}
