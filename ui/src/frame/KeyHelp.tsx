import { shownKeys, useShortcuts } from "@/base/keys";
import { setPreference, usePreferences } from "@/base/preferences";
import { Checkbox, Dialog } from "@/parts/Dialog";

/** Every key that counts now, by group. */
export default function KeyHelp({ onClose }: { onClose: () => void }) {
  const shortcuts = useShortcuts();
  const { letters } = usePreferences();
  const groups = new Map<string, Map<string, string>>();
  for (const { group, keys, what } of shortcuts) {
    if (!keys) continue;
    const named = groups.get(group) ?? new Map<string, string>();
    if (!named.has(keys)) named.set(keys, what);
    groups.set(group, named);
  }
  return (
    <Dialog title="Keys" onClose={onClose} width={560}>
      <div className="keys-list">
        {[...groups].map(([group, named]) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>{[...named].map(([keys, what]) => <div key={keys}><dt>{what}</dt><dd><kbd>{shownKeys(keys)}</kbd></dd></div>)}</dl>
          </section>
        ))}
      </div>
      <div className="dialog-body"><Checkbox label="Single letters are shortcuts" checked={letters} onChange={(on) => setPreference("letters", on)} /></div>
    </Dialog>
  );
}
