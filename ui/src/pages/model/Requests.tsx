import { useState } from "react";
import { call } from "@/api/client";
import { useOperation } from "@/api/queries";
import { ApproveTransitionRequest, CreateTransitionRequest, DeleteTransitionRequest, RejectTransitionRequest, SearchTransitionRequests, type TransitionRequest } from "@/api/schema";
import { Link, path } from "@/frame/router";
import { refreshModels } from "@/pages/models/actions";
import { Button } from "@/parts/Button";
import { Checkbox, FormDialog, TextField } from "@/parts/Dialog";
import { Empty, Loaded } from "@/parts/States";
import { toast, toastError } from "@/parts/Toast";
import { Mark, Time } from "@/parts/Values";

const STATES: Readonly<Record<string, readonly ["ok" | "bad" | "running" | "soft", string]>> = {
  OPEN: ["running", "Open"], APPROVED: ["ok", "Approved"], REJECTED: ["bad", "Rejected"], WITHDRAWN: ["soft", "Withdrawn"], CLOSED: ["soft", "Closed"],
};
const MOST = 200;

/** Requests to move versions, open ones first, with what can be done about them. */
export function Requests({ name, version }: { name: string; version?: string }) {
  const query = useOperation(SearchTransitionRequests, { name, ...(version ? { version } : {}), max_results: MOST });
  const [deciding, setDeciding] = useState<{ request: TransitionRequest; how: "approve" | "reject" } | null>(null);
  return (
    <div className="stack pane">
      <Loaded query={query} what="The requests">
        {({ requests = [] }) => (requests.length === 0
          ? <Empty title="Nobody has asked for anything. A version is moved with approval by asking for it: Move, then Ask others to approve." />
          : <ul className="entries" aria-label="Requests">
            {[...requests].sort((a, b) => Number(b.state === "OPEN") - Number(a.state === "OPEN")).map((request) => (
              <Request key={request.id} name={name} request={request} onDecide={(how) => setDeciding({ request, how })} />
            ))}
          </ul>)}
      </Loaded>
      {deciding && <DecideDialog name={name} {...deciding} onClose={() => setDeciding(null)} />}
    </div>
  );
}

function Request({ name, request, onDecide }: { name: string; request: TransitionRequest; onDecide: (how: "approve" | "reject") => void }) {
  const [tone, word] = STATES[request.state ?? "OPEN"] ?? ["soft", request.state ?? ""];
  const may = new Set(request.available_actions ?? []);
  const open = request.state === undefined || request.state === "OPEN";
  return (
    <li className="entry">
      <div className="line">
        <Mark tone={tone}>{word}</Mark>
        <span className="grow"><strong>{request.user_id}</strong> asks to move <Link to={path`/models/${name}/${request.version ?? ""}`}>version {request.version}</Link> to {request.to_stage}</span>
        <span className="soft"><Time at={request.creation_timestamp} /></span>
        {open && may.has("APPROVE_TRANSITION_REQUEST") && <Button className="small" icon="check" onClick={() => onDecide("approve")}>Approve</Button>}
        {open && may.has("REJECT_TRANSITION_REQUEST") && <Button className="small" icon="close" onClick={() => onDecide("reject")}>Reject</Button>}
        {open && may.has("CANCEL_TRANSITION_REQUEST") && <Button className="small" onClick={() => void withdraw(name, request)}>Withdraw</Button>}
      </div>
      {request.comment && <p className="entry-text">{request.comment}</p>}
      {request.approved_by?.length ? <p className="soft">Approved by {request.approved_by.join(", ")}</p> : null}
      {request.decided_by && <p className="soft">{word} by {request.decided_by}{request.reason ? `: ${request.reason}` : ""}</p>}
    </li>
  );
}

function withdraw(name: string, { version = "", to_stage: stage, comment }: TransitionRequest): Promise<void> {
  return call(DeleteTransitionRequest, { name, version, stage }).then(() => toast("Request withdrawn", {
    undo: () => call(CreateTransitionRequest, { name, version, stage, ...(comment ? { comment } : {}) }).then(refreshModels),
  }), toastError).then(refreshModels);
}

function DecideDialog({ name, request, how, onClose }: { name: string; request: TransitionRequest; how: "approve" | "reject"; onClose: () => void }) {
  const [comment, setComment] = useState("");
  const { version = "", to_stage: stage } = request;
  const [archive, setArchive] = useState(stage === "Production");
  const said = comment.trim() ? { comment: comment.trim() } : {};
  const active = stage === "Staging" || stage === "Production";
  const submit = async () => {
    const { activity } = await (how === "approve"
      ? call(ApproveTransitionRequest, { name, version, stage, archive_existing_versions: active && archive, ...said })
      : call(RejectTransitionRequest, { name, version, stage, ...said }));
    toast(activity.system_comment ?? (how === "approve" ? `Version ${version} is in ${stage}` : "Request rejected"));
    await refreshModels();
  };
  return (
    <FormDialog title={how === "approve" ? `Approve: version ${version} to ${stage}` : `Reject: version ${version} to ${stage}`} action={how === "approve" ? "Approve" : "Reject"} tone={how === "approve" ? "main" : "bad"} onClose={onClose} onSubmit={submit}>
      <TextField label={how === "approve" ? "Comment" : "Reason"} value={comment} onChange={setComment} lines={3} focus />
      {how === "approve" && active && <Checkbox label={`Archive the other versions in ${stage}`} checked={archive} onChange={setArchive} />}
    </FormDialog>
  );
}
