import { Suspense, useEffect, useRef, useState } from "react";
import { call } from "@/api/client";
import { refresh, useOperation } from "@/api/queries";
import { DeleteView, ListViews, SaveView, SetArrangement, type View } from "@/api/schema";
import { navigate } from "@/base/location";
import { path } from "@/frame/router";
import { Button } from "@/parts/Button";
import { lazily } from "@/parts/lazily";
import { Menu, type MenuItem } from "@/parts/Menu";
import { toast, toastError } from "@/parts/Toast";

const SaveDialog = lazily(() => import("@/pages/runs/SaveDialog"));

const PAGE = "runs";

/** The saved views of an experiment's runs: open, save, share, delete, and which one opens by itself. */
export function Views({ experimentId, ready }: { experimentId: string; ready: boolean }) {
  // After the first rows, which are what most come for.
  const views = useOperation(ListViews, ready ? { experiment_id: experimentId } : null);
  const [open, setOpen] = useState(false);
  const [saving, setSaving] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const named = (views.data?.views ?? []).filter((view) => view.name && view.page === PAGE);
  const standard = views.data?.default_view_id ?? "";
  const show = (view: View) => navigate(`${path`/exp/${experimentId}`}?${view.state}`);
  const remove = (view: View) => call(DeleteView, { experiment_ids: [experimentId], view_id: view.view_id }).then(() => {
    void refresh(ListViews);
    toast(`Deleted the view ${view.name}`, { undo: () => save(experimentId, view.name, view.shared, view.state) });
  }, toastError);
  const state = location.search.slice(1);
  const opened = useRef(false);
  useEffect(() => {
    if (opened.current || !views.data) return;
    opened.current = true;
    const view = views.data.views?.find((one) => one.view_id === views.data.default_view_id);
    if (view && !location.search) navigate(`${path`/exp/${experimentId}`}?${view.state}`, { replace: true });
  }, [views.data, experimentId]);
  const current = named.find((view) => view.state === state);
  const items: MenuItem[] = [
    ...named.map((view) => ({ label: view.shared ? `${view.name} (shared)` : view.name, checked: view === current, run: () => show(view) })),
    { label: "Save this view…", icon: "save", section: named.length > 0 ? true : undefined, run: () => setSaving(true) },
    ...(current ? [
      { label: standard === current.view_id ? "No longer the default" : "Make it the default for everyone", icon: "pin" as const, run: () => void setDefault(experimentId, current, standard === current.view_id) },
      { label: `Delete ${current.name}`, icon: "trash" as const, tone: "bad" as const, run: () => void remove(current) },
    ] : []),
    { label: "As it was at first", icon: "restore", run: () => navigate(path`/exp/${experimentId}`) },
  ];
  return (
    <>
      <button ref={button} type="button" className="button" aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)}>{current?.name ?? "Views"}</button>
      <Menu label="Views" items={items} anchor={button} open={open} onClose={() => setOpen(false)} align="end" />
      {saving && <Suspense fallback={null}><SaveDialog onSave={(name, shared) => save(experimentId, name, shared, state)} onClose={() => setSaving(false)} /></Suspense>}
    </>
  );
}

/** A default is for everybody, so the view becomes one that everybody sees. */
async function setDefault(experimentId: string, view: View, off: boolean): Promise<void> {
  try {
    if (!off && !view.shared) await call(SaveView, { experiment_ids: [experimentId], page: PAGE, state: view.state, name: view.name, shared: true, view_id: view.view_id });
    await call(SetArrangement, { experiment_id: experimentId, default_view_id: off ? "" : view.view_id });
    toast(off ? "The experiment opens as it was at first" : `The experiment opens with ${view.name}`);
    await refresh(ListViews);
  } catch (error) {
    toastError(error);
  }
}

async function save(experimentId: string, name: string, shared: boolean, state: string): Promise<void> {
  await call(SaveView, { experiment_ids: [experimentId], page: PAGE, state, name, shared });
  await refresh(ListViews);
}

/** The button for a chip that says how many runs have come since the table was read. */
export function NewRuns({ count, onShow }: { count: number; onShow: () => void }) {
  return count > 0 ? <Button icon="arrowUp" keys="." tip="Show them" onClick={onShow}>{count} new</Button> : null;
}
