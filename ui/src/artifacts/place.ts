// Where files lie: with a run, a logged model or a version of a registered model; what is asked of each.
import { useQuery } from "@tanstack/react-query";
import { address, ask, call, withQuery } from "@/api/client";
import type { ArtifactListing, FileInfo } from "@/api/schema";
import { ListArtifacts, ListLoggedModelArtifacts, ListModelVersionArtifacts } from "@/api/schema";

export interface Place {
  /** What its paths begin with where several places stand in one tree; "" for the one at the root. */
  mount: string;
  /** The name of its folder in the tree, if it is not at the root. */
  title: string;
  /** The path of the server below which its files are. */
  base: string;
  /** One page of a folder's entries; "" is the folder that holds all. */
  list: (folder: string, page: string | null, signal: AbortSignal) => Promise<ArtifactListing>;
}

export function placeOfRun(runId: string): Place {
  return {
    mount: "", title: "", base: `/ajax-api/v1/runs/${encodeURIComponent(runId)}/artifacts`,
    list: (folder, page, signal) => call(ListArtifacts, { run_id: runId, path: folder || null, page_token: page }, signal),
  };
}

/** The files of a logged model, as a folder of its own. */
export function placeOfModel(modelId: string, title: string, atRoot: boolean = false): Place {
  return {
    mount: atRoot ? "" : `models:/${modelId}`, title, base: `/ajax-api/v1/logged-models/${encodeURIComponent(modelId)}/artifacts`,
    list: (folder, page, signal) => call(ListLoggedModelArtifacts, { model_id: modelId, artifact_directory_path: folder || null, page_token: page }, signal),
  };
}

export function placeOfVersion(name: string, version: string): Place {
  return {
    mount: "", title: "", base: `/ajax-api/v1/registered-models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}/artifacts`,
    list: (folder, _, signal) => call(ListModelVersionArtifacts, { name, version, path: folder || null }, signal),
  };
}

/** The place that a path of the tree is in, and the path there. */
export function located(places: readonly Place[], path: string): { place: Place; path: string } | null {
  const within = places.find(({ mount }) => mount !== "" && (path === mount || path.startsWith(`${mount}/`)));
  if (within) return { place: within, path: path.slice(within.mount.length + 1) };
  const root = places.find(({ mount }) => mount === "");
  return root ? { place: root, path } : null;
}

/** The path in the tree of a path in a place. */
export function mounted(place: Place, path: string): string {
  return place.mount ? (path ? `${place.mount}/${path}` : place.mount) : path;
}

/** The folders that hold a path, outermost first, as they are called in the tree. */
export function foldersAbove(places: readonly Place[], path: string): string[] {
  const found = located(places, path);
  if (!found || path === "") return [];
  const parts = found.path === "" ? [] : found.path.split("/").slice(0, -1);
  const own = parts.map((_, at) => mounted(found.place, parts.slice(0, at + 1).join("/")));
  return found.place.mount && found.path ? [found.place.mount, ...own] : own;
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

const MOST_ENTRIES = 20_000;

/** All entries of a folder, folders first. */
export async function entriesOf(place: Place, folder: string, signal: AbortSignal): Promise<readonly FileInfo[]> {
  const found: FileInfo[] = [];
  let page: string | null = null;
  do {
    const answer: ArtifactListing = await place.list(folder, page, signal);
    found.push(...(answer.files ?? []));
    page = answer.next_page_token ?? null;
  } while (page && found.length < MOST_ENTRIES);
  return found.sort((a, b) => Number(b.is_dir) - Number(a.is_dir) || a.path.localeCompare(b.path, "en", { numeric: true }));
}

export const ARTIFACTS_KEY = "artifacts";

export function folderQuery(place: Place, folder: string) {
  return {
    queryKey: [ARTIFACTS_KEY, place.base, "folder", folder],
    queryFn: ({ signal }: { signal: AbortSignal }) => entriesOf(place, folder, signal),
    staleTime: 10_000,
  };
}

export type Kind = "text" | "json" | "table" | "image" | "markdown" | "html" | "notebook" | "pdf" | "audio" | "video" | "yaml" | "other";

/** What the server knows of a file without reading it. */
export interface FileFacts {
  path: string;
  size: number;
  type: string;
  kind: Kind;
  /** Its first 256 bytes in hexadecimal digits. */
  head: string;
  /** Milliseconds since the epoch. */
  modified?: number;
  sha256?: string;
}

export interface Lines {
  size: number;
  first?: number | null;
  lines: readonly string[];
  offset: number;
  next_offset: number;
  more: boolean;
  total?: number;
}

export interface Rows {
  columns: readonly { name: string; type: string }[];
  cols: readonly (readonly unknown[])[];
  offset: number;
  rows: number;
  more: boolean;
  total?: number;
}

type Part = "facts" | "lines" | "table";

async function read<Answer>(place: Place, part: Part, fields: Record<string, unknown>, signal: AbortSignal): Promise<Answer> {
  return await (await ask("GET", withQuery(`${place.base}/${part}`, fields), undefined, signal)).json() as Answer;
}

export function readLines(place: Place, fields: { path: string; lines?: string; offset?: number; limit?: number }, signal: AbortSignal): Promise<Lines> {
  return read(place, "lines", fields, signal);
}

export function readRows(place: Place, fields: { path: string; offset: number; limit: number }, signal: AbortSignal): Promise<Rows> {
  return read(place, "table", fields, signal);
}

export function useFacts(place: Place, path: string) {
  return useQuery({ queryKey: [ARTIFACTS_KEY, place.base, "facts", path], queryFn: ({ signal }) => read<FileFacts>(place, "facts", { path }, signal) });
}

/** The whole content of a small file. */
export async function readText(place: Place, path: string, signal: AbortSignal): Promise<string> {
  return (await ask("GET", withQuery(`${place.base}/content`, { path }), undefined, signal)).text();
}

export function useText(place: Place, path: string | null) {
  return useQuery({ queryKey: [ARTIFACTS_KEY, place.base, "text", path], queryFn: ({ signal }) => readText(place, path ?? "", signal), enabled: path !== null });
}

/** The address of a file's content, for frames, images and links. */
export function contentAddress(place: Place, path: string, fields: { download?: 1; scripts?: "internet" } = {}): string {
  return address(withQuery(`${place.base}/content`, { path, ...fields }));
}

/** The address of the page that an output of a notebook's cell holds. */
export function outputAddress(place: Place, path: string, cell: number, output: number): string {
  return address(withQuery(`${place.base}/output`, { path, cell, output }));
}

export function zipAddress(place: Place, folder: string): string {
  return address(withQuery(`${place.base}/zip`, { path: folder || undefined }));
}
