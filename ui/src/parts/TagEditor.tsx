import { useState } from "react";
import { Button } from "@/parts/Button";
import { FormDialog, TextField } from "@/parts/Dialog";
import { isOwn, type Tag } from "@/parts/tags";
import { Chip } from "@/parts/Values";
import { toast, toastError } from "@/parts/Toast";

interface Props {
  tags: readonly Tag[];
  /** Sets one; the page shows it once its query is read again. */
  onSet: (key: string, value: string) => Promise<unknown>;
  onDelete: (key: string) => Promise<unknown>;
}

/** Tags as chips: a click changes one, the cross removes it (with undo), the button adds one. */
export function TagEditor({ tags, onSet, onDelete }: Props) {
  const [edited, setEdited] = useState<Tag | null>(null);
  const remove = (tag: Tag) => {
    onDelete(tag.key).then(() => toast(`Removed the tag ${tag.key}`, { undo: () => onSet(tag.key, tag.value) }), toastError);
  };
  return (
    <div className="chips">
      {tags.filter(isOwn).map((tag) => (
        <Chip key={tag.key} title={`${tag.key} = ${tag.value}`} onClick={() => setEdited(tag)} onRemove={() => remove(tag)} removeLabel={`Remove the tag ${tag.key}`}>
          {tag.key}{tag.value && <span className="soft"> {tag.value}</span>}
        </Chip>
      ))}
      <Button icon="tag" className="small" onClick={() => setEdited({ key: "", value: "" })}>Add tag</Button>
      {edited && <TagDialog tag={edited} onSet={onSet} onClose={() => setEdited(null)} />}
    </div>
  );
}

/** Asks for a tag; also for one that is set on many things at once. */
export function TagDialog({ tag, title, onSet, onClose }: { tag: Tag; title?: string; onSet: Props["onSet"]; onClose: () => void }) {
  const [key, setKey] = useState(tag.key);
  const [value, setValue] = useState(tag.value);
  return (
    <FormDialog title={title ?? (tag.key ? `Tag ${tag.key}` : "Add a tag")} action="Set tag" disabled={!key.trim()} onSubmit={() => onSet(key.trim(), value)} onClose={onClose}>
      {!tag.key && <TextField label="Key" value={key} onChange={setKey} focus mono />}
      <TextField label="Value" value={value} onChange={setValue} focus={Boolean(tag.key)} mono />
    </FormDialog>
  );
}
