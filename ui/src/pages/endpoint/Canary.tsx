import { useState } from "react";
import { call } from "@/api/client";
import { EndCanary, StartCanary, StepCanary, type Canary as Running, type EndpointAnswer, type ServingEndpoint } from "@/api/schema";
import { number, numberOf } from "@/base/format";
import { refreshEndpoints } from "@/pages/serving/actions";
import { percentText } from "@/pages/serving/figures";
import { endingText, readSteps, stepText, USUAL_STEPS } from "@/pages/endpoint/steps";
import { Button } from "@/parts/Button";
import { FormDialog, Select, TextField } from "@/parts/Dialog";
import { Card } from "@/parts/States";
import { toast, toastError } from "@/parts/Toast";
import { Facts, Mark, Time } from "@/parts/Values";

/** A version that takes more and more of the traffic: begun, taken a step on, promoted, or rolled back. */
export function Canary({ answer }: { answer: EndpointAnswer }) {
  const [starting, setStarting] = useState(false);
  const { endpoint, versions = [] } = answer;
  const canary = endpoint.canary;
  const running = canary?.state === "RUNNING";
  return (
    <Card title="Canary" actions={!running && versions.length > 1 && <Button icon="play" onClick={() => setStarting(true)}>Start a canary</Button>}>
      {canary && running ? <Progress endpoint={endpoint} canary={canary} /> : (
        <p className="soft">{canary ? `${endingText(canary)}.` : "A canary gives a version more and more of the traffic, and takes it back when it does badly."}</p>
      )}
      {starting && <Start answer={answer} onClose={() => setStarting(false)} />}
    </Card>
  );
}

function Progress({ endpoint, canary }: { endpoint: ServingEndpoint; canary: Running }) {
  const end = (outcome: "PROMOTED" | "ROLLED_BACK", told: string) => {
    void call(EndCanary, { name: endpoint.name, outcome, revision: endpoint.revision, reason: "by hand" }).then(() => toast(told), toastError).then(refreshEndpoints);
  };
  const step = () => {
    void call(StepCanary, { name: endpoint.name, revision: endpoint.revision, reason: "by hand" }).then(() => toast(`Version ${canary.version} goes a step on`), toastError).then(refreshEndpoints);
  };
  return (
    <div className="stack">
      <ol className="endpoint-steps" aria-label="Steps">
        {canary.steps.map((one, at) => (
          <li key={at} aria-current={at === canary.step ? "step" : undefined}>
            <Mark tone={at < canary.step ? "ok" : at === canary.step ? "running" : "soft"}>{stepText(one)}</Mark>
          </li>
        ))}
      </ol>
      <Facts rows={[
        ["Version", `v${canary.version}`],
        ["This step since", <Time key="since" at={canary.since} />],
        ["Rolled back", `when it fails ${percentText(100 * (numberOf(canary.max_error_rate) ?? 0))} more often than the others${canary.max_seconds ? `, or 95 % of its answers take longer than ${number(canary.max_seconds)} s` : ""}, after ${number(canary.min_requests)} answers`],
      ]} />
      <div className="line">
        <Button icon="play" disabled={canary.step >= canary.steps.length - 1} onClick={step}>Next step</Button>
        <Button icon="check" tone="main" onClick={() => end("PROMOTED", `Version ${canary.version} gets all the traffic`)}>Promote</Button>
        <Button icon="restore" tone="bad" onClick={() => end("ROLLED_BACK", `Version ${canary.version} is rolled back`)}>Roll back</Button>
      </div>
    </div>
  );
}

function Start({ answer, onClose }: { answer: EndpointAnswer; onClose: () => void }) {
  const { endpoint, versions = [] } = answer;
  const idle = versions.filter((one) => numberOf(one.percent) !== 100).toReversed();
  const [version, setVersion] = useState(idle[0]?.version ?? "");
  const [steps, setSteps] = useState(USUAL_STEPS);
  const [errors, setErrors] = useState("5");
  const [requests, setRequests] = useState("20");
  const [seconds, setSeconds] = useState("");
  const submit = async () => {
    await call(StartCanary, {
      name: endpoint.name, version, steps: readSteps(steps), max_error_rate: Number(errors) / 100, min_requests: Number(requests),
      ...(seconds.trim() ? { max_seconds: Number(seconds) } : {}), revision: endpoint.revision,
    });
    toast(`The canary of version ${version} has begun`);
    await refreshEndpoints();
  };
  return (
    <FormDialog title="Start a canary" action="Start" onSubmit={submit} onClose={onClose} disabled={!version}>
      <Select label="Version that gets more and more" value={version} onChange={setVersion} options={idle.map((one) => [one.version, `version ${one.version}`] as const)} />
      <TextField label="Steps" value={steps} onChange={setSteps} mono hint="PERCENT:SECONDS, one after the other. After the last it gets all the traffic." focus />
      <TextField label="Failures beyond those of the others, in percent, at most" value={errors} onChange={setErrors} type="number" />
      <TextField label="Answers before it is judged" value={requests} onChange={setRequests} type="number" />
      <TextField label="Seconds that 95 % of its answers may take" value={seconds} onChange={setSeconds} type="number" placeholder="any" />
    </FormDialog>
  );
}
