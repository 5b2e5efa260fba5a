// Which page an address has. Pages are chunks of their own: loaded when a link to them is hovered, and in any case
// before the page that is shown gives way, so that no placeholder flashes.
import { useEffect, useState, type AnchorHTMLAttributes, type ComponentType, type MouseEvent, type ReactNode } from "react";
import { fieldsOf, navigate, prefix, usePath } from "@/base/location";
import { ErrorCard } from "@/parts/States";

export type Params = Readonly<Record<string, string>>;

export interface PageModule {
  /** The page; its props are the decoded fields of the path. */
  default: ComponentType<never>;
  /** Starts reading what the page shows first; called when a link to it is hovered. */
  preload?: (params: never) => void;
}

export interface Route {
  path: string;
  load: () => Promise<PageModule>;
}

interface Found {
  route: Route;
  params: Params;
}

let routes: readonly Route[] = [];
const modules = new Map<Route, PageModule>();

export function setRoutes(given: readonly Route[]): void {
  routes = given;
}

async function moduleOf(route: Route): Promise<PageModule> {
  const known = modules.get(route);
  if (known) return known;
  const loaded = await route.load();
  modules.set(route, loaded);
  return loaded;
}

function find(path: string): Found | null {
  for (const route of routes) {
    const params = fieldsOf(route.path, path);
    if (params) return { route, params };
  }
  return null;
}

/** The page of the address. */
export function Outlet({ nowhere }: { nowhere: ReactNode }) {
  const found = find(usePath());
  const [shown, setShown] = useState<{ found: Found; module: PageModule } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [turn, setTurn] = useState(0);
  const ready = found && modules.get(found.route);
  const route = found?.route;
  useEffect(() => {
    if (!route || modules.has(route)) return;
    let current = true;
    moduleOf(route).then(() => current && setTurn((before) => before + 1), (raised: unknown) => current && setError(raised));
    return () => {
      current = false;
    };
  }, [route, turn]);
  if (ready && (shown?.found.route !== found.route || JSON.stringify(shown.found.params) !== JSON.stringify(found.params))) {
    setShown({ found, module: ready });
    setError(null);
  }
  if (!found) return nowhere;
  if (error) return <ErrorCard what="The page could not be loaded" error={error} onRetry={() => {
    setError(null);
    setTurn(turn + 1);
  }} />;
  if (!shown) return null;
  const Shown = shown.module.default as ComponentType<Params>;
  return <Shown key={JSON.stringify([shown.found.route.path, shown.found.params])} {...shown.found.params} />;
}

/** Loads the page of an address, and what it reads first. */
export function preload(path: string): void {
  const found = find(path.split("?")[0] ?? "");
  if (found) void moduleOf(found.route).then((module) => module.preload?.(found.params as never), () => undefined);
}

interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  /** An address of ours, without the prefix: /exp/1?view=charts. */
  to: string;
}

/** A link to a page of ours. */
export function Link({ to, onClick, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    event.stopPropagation();
    onClick?.(event);
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) return;
    event.preventDefault();
    navigate(to);
  };
  return <a href={prefix + to} {...rest} onClick={follow} onPointerEnter={() => preload(to)} onFocus={() => preload(to)}>{children}</a>;
}

/** Goes to an address of ours; with `newTab` as a click with the Ctrl key does. */
export function go(to: string, event?: { ctrlKey: boolean; metaKey: boolean }): void {
  if (event && (event.ctrlKey || event.metaKey)) window.open(prefix + to, "_blank", "noopener");
  else navigate(to);
}

/** {@link go}, for components. */
export const useGo = (): typeof go => go;

/** A path with its fields, each escaped: path`/models/${name}`. */
export function path(parts: TemplateStringsArray, ...fields: readonly (string | number)[]): string {
  return parts.reduce((made, part, at) => made + encodeURIComponent(String(fields[at - 1])) + part);
}
