import { useState } from "react";
import { Checkbox, FormDialog, TextField } from "@/parts/Dialog";
import { toast } from "@/parts/Toast";

interface Props {
  onSave: (name: string, shared: boolean) => Promise<void>;
  onClose: () => void;
}

/** Asks for the name of a view. */
export default function SaveDialog({ onSave, onClose }: Props) {
  const [name, setName] = useState("");
  const [shared, setShared] = useState(false);
  return (
    <FormDialog title="Save this view" action="Save" disabled={!name.trim()} onClose={onClose} onSubmit={() => onSave(name.trim(), shared).then(() => toast(`Saved the view ${name.trim()}`))}>
      <TextField label="Name" value={name} onChange={setName} focus />
      <Checkbox label="Others see it too" checked={shared} onChange={setShared} />
    </FormDialog>
  );
}
