import { useState } from "react";
import { call } from "@/api/client";
import { DeleteModelVersion, DeleteModelVersionTag, SetModelVersionTag, UpdateModelVersion, type ModelVersion } from "@/api/schema";
import { DescribeDialog, refreshModels } from "@/pages/models/actions";
import { Checkbox, FormDialog } from "@/parts/Dialog";
import { TagEditor } from "@/parts/TagEditor";
import { toast } from "@/parts/Toast";

export function VersionTags({ version: { name, version, tags = [] } }: { version: ModelVersion }) {
  return (
    <TagEditor
      tags={tags}
      onSet={(key, value) => call(SetModelVersionTag, { name, version, key, value }).then(refreshModels)}
      onDelete={(key) => call(DeleteModelVersionTag, { name, version, key }).then(refreshModels)}
    />
  );
}

export function DescribeVersion({ version: { name, version, description }, onClose }: { version: ModelVersion; onClose: () => void }) {
  return (
    <DescribeDialog
      title={`Describe version ${version} of ${name}`} text={description ?? ""} onClose={onClose}
      save={(text) => call(UpdateModelVersion, { name, version, ...(text ? { description: text } : {}) })}
    />
  );
}

export function DeleteVersion({ version: { name, version, aliases = [], current_stage: stage }, onClose, onDone }: { version: ModelVersion; onClose: () => void; onDone?: () => void }) {
  const [sure, setSure] = useState(false);
  const held = [...aliases, ...(stage === "Production" || stage === "Staging" ? [stage] : [])];
  return (
    <FormDialog
      title={`Delete version ${version} of ${name}`} action="Delete" tone="bad" disabled={held.length > 0 && !sure} onClose={onClose}
      onSubmit={async () => {
        await call(DeleteModelVersion, { name, version });
        toast(`Deleted version ${version} of ${name}`);
        onDone?.();
        await refreshModels();
      }}
    >
      <p>Its number is not given again, its files stay with the run. This cannot be taken back.</p>
      {held.length > 0 && <Checkbox label={`It is ${held.join(", ")}: programs that load it by that do not find it any more`} checked={sure} onChange={setSure} />}
    </FormDialog>
  );
}
