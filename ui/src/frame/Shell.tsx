import { Suspense, useEffect, useState, type ReactNode } from "react";
import { useKeys } from "@/base/keys";
import { usePath } from "@/base/location";
import { isDark, setPreference, usePreferences } from "@/base/preferences";
import { Link, Outlet, useGo } from "@/frame/router";
import { IconButton } from "@/parts/Button";
import { Icon, type IconName } from "@/parts/Icon";
import { Boundary } from "@/parts/States";
import { Toasts } from "@/parts/Toast";
import { Tooltip } from "@/parts/Tooltip";
import { lazily } from "@/parts/lazily";

// Not part of the first page; the palette comes right after it.
const paletteChunk = () => import("@/frame/CommandPalette");
const CommandPalette = lazily(paletteChunk);
const KeyHelp = lazily(() => import("@/frame/KeyHelp"));
const Inspector = lazily(() => import("@/frame/Inspector"));

const PALETTE_MS = 1000;

interface Place {
  to: string;
  name: string;
  icon: IconName;
  keys?: string;
  /** First segments of the addresses that belong to it. */
  owns: readonly string[];
}

const PLACES: readonly Place[] = [
  { to: "/", name: "Experiments", icon: "experiment", keys: "g e", owns: ["", "exp", "run", "compare"] },
  { to: "/models", name: "Models", icon: "model", keys: "g m", owns: ["models"] },
  { to: "/serving", name: "Serving", icon: "serving", keys: "g s", owns: ["serving"] },
];
const LOWER: readonly Place[] = [
  { to: "/webhooks", name: "Webhooks", icon: "webhook", owns: ["webhooks"] },
  { to: "/trash", name: "Trash", icon: "trash", owns: ["trash"] },
  { to: "/settings", name: "Settings", icon: "settings", owns: ["settings"] },
];

/** The frame of every page: sidebar, the page, and what floats over it. */
export function Shell({ nowhere }: { nowhere: ReactNode }) {
  const { sidebar } = usePreferences();
  const path = usePath();
  const go = useGo();
  const [open, setOpen] = useState<"palette" | "keys" | "inspector" | null>(null);
  const [typed, setTyped] = useState("");
  const close = () => {
    setTyped("");
    setOpen(null);
  };
  useEffect(() => {
    const timer = setTimeout(() => void paletteChunk().catch(() => undefined), PALETTE_MS);
    return () => clearTimeout(timer);
  }, []);
  useKeys([
    { keys: "Mod+k", what: "Commands and search", group: "Everywhere", run: () => setOpen("palette"), typing: true },
    { keys: "?", what: "Keys", group: "Everywhere", run: () => setOpen("keys") },
    { keys: "[", what: "Sidebar", group: "Everywhere", run: () => setPreference("sidebar", !sidebar) },
    { keys: "t", what: "Light or dark", group: "Everywhere", run: () => setPreference("theme", isDark() ? "light" : "dark") },
    { keys: "i", what: "Requests and their times", group: "Everywhere", run: () => setOpen("inspector") },
    ...PLACES.map(({ to, name, keys }) => ({ keys: keys ?? "", what: name, group: "Go to", run: () => go(to) })),
    ...LOWER.map(({ to, name }) => ({ keys: "", what: name, group: "Go to", run: () => go(to) })),
  ]);
  const first = path.split("/")[1] ?? "";
  const link = ({ to, name, icon, keys, owns }: Place) => (
    <Link key={to} to={to} className="sidebar-link" aria-current={owns.includes(first) ? "page" : undefined} aria-label={name} data-tip={sidebar ? undefined : name} data-keys={keys}>
      <Icon name={icon} /><span>{name}</span>
    </Link>
  );
  return (
    <>
      <a className="skip" href="#content" onClick={(event) => {
        event.preventDefault();
        document.getElementById("content")?.focus();
      }}>Skip to content</a>
      <nav className={sidebar ? "sidebar" : "sidebar narrow"} aria-label="Main">
        <div className="brand">
          <Link to="/" className="grow">Millstream</Link>
          <IconButton icon="sidebar" label={sidebar ? "Narrow sidebar" : "Wide sidebar"} keys="[" onClick={() => setPreference("sidebar", !sidebar)} />
        </div>
        {PLACES.map(link)}
        <div className="sidebar-foot">
          {LOWER.map(link)}
          <button type="button" className="sidebar-link" aria-label="Search Ctrl K" onClick={() => setOpen("palette")}><Icon name="search" /><span>Search</span> <kbd>Ctrl K</kbd></button>
          <button type="button" className="sidebar-link" aria-label="Keys ?" onClick={() => setOpen("keys")}><Icon name="help" /><span>Keys</span> <kbd>?</kbd></button>
        </div>
      </nav>
      <main id="content" className="page" tabIndex={-1}>
        <Boundary key={path} what="The page could not be shown"><Outlet nowhere={nowhere} /></Boundary>
      </main>
      {open === "palette" && (
        // Who opens the palette types on at once, whether it is there or not.
        <Suspense fallback={<input className="unseen" aria-label="Search and commands" autoFocus onChange={(event) => setTyped(event.target.value)} />}>
          <CommandPalette typed={typed} onClose={close} />
        </Suspense>
      )}
      <Suspense fallback={null}>
        {open === "keys" && <KeyHelp onClose={close} />}
        {open === "inspector" && <Inspector onClose={close} />}
      </Suspense>
      <Toasts />
      <Tooltip />
    </>
  );
}
