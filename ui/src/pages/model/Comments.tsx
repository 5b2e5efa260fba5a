import { useState, type FormEvent } from "react";
import { call } from "@/api/client";
import { useOperation } from "@/api/queries";
import { CreateComment, DeleteComment, ListComments, UpdateComment, type Comment } from "@/api/schema";
import { Link, path } from "@/frame/router";
import { refreshModels } from "@/pages/models/actions";
import { Button, IconButton } from "@/parts/Button";
import { FormDialog, TextField } from "@/parts/Dialog";
import { Markdown } from "@/parts/Sanitised";
import { Loaded } from "@/parts/States";
import { toast, toastError } from "@/parts/Toast";
import { Time } from "@/parts/Values";

const MOST = 200;

/** What was said about a version, or about all versions of a model; something is said about one version. */
export function Comments({ name, version }: { name: string; version?: string }) {
  const query = useOperation(ListComments, { name, ...(version ? { version } : {}), max_results: MOST });
  const [edited, setEdited] = useState<Comment | null>(null);
  return (
    <div className="stack pane">
      {version && <Write name={name} version={version} />}
      <Loaded query={query} what="The comments">
        {({ comments = [] }) => (comments.length === 0
          ? <p className="soft">{version ? "Nobody has said anything yet." : "Nobody has said anything yet. What is said about a version stands here too."}</p>
          : <ul className="entries" aria-label="Comments">
            {comments.map((comment) => (
              <li key={comment.id} className="entry">
                <div className="line">
                  <strong>{comment.user_id}</strong>
                  {!version && comment.version && <Link to={`${path`/models/${name}/${comment.version}`}?tab=comments`}>version {comment.version}</Link>}
                  <span className="soft grow"><Time at={comment.creation_timestamp} />{comment.last_updated_timestamp > comment.creation_timestamp && ", changed"}</span>
                  {comment.available_actions?.includes("EDIT_COMMENT") && <IconButton icon="edit" label="Change the comment" onClick={() => setEdited(comment)} />}
                  {comment.available_actions?.includes("DELETE_COMMENT") && <IconButton icon="trash" label="Remove the comment" onClick={() => void remove(name, comment)} />}
                </div>
                <Markdown text={comment.comment} />
              </li>
            ))}
          </ul>)}
      </Loaded>
      {edited && <EditDialog comment={edited} onClose={() => setEdited(null)} />}
    </div>
  );
}

function remove(name: string, comment: Comment): Promise<void> {
  return call(DeleteComment, { id: comment.id }).then(() => toast("Comment removed", {
    undo: () => call(CreateComment, { name, version: comment.version ?? "", comment: comment.comment }).then(refreshModels),
  }), toastError).then(refreshModels);
}

function Write({ name, version }: { name: string; version: string }) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    call(CreateComment, { name, version, comment: text.trim() }).then(() => setText(""), toastError).then(refreshModels).finally(() => setBusy(false));
  };
  return (
    <form className="stack" onSubmit={submit}>
      <TextField label="Comment" value={text} onChange={setText} lines={3} placeholder="Markdown" />
      <div><Button type="submit" icon="note" disabled={busy || !text.trim()}>Say it</Button></div>
    </form>
  );
}

function EditDialog({ comment, onClose }: { comment: Comment; onClose: () => void }) {
  const [text, setText] = useState(comment.comment);
  return (
    <FormDialog title="Change the comment" action="Save" disabled={!text.trim() || text === comment.comment} onClose={onClose} onSubmit={() => call(UpdateComment, { id: comment.id, comment: text.trim() }).then(refreshModels)}>
      <TextField label="Comment" value={text} onChange={setText} lines={6} focus />
    </FormDialog>
  );
}
