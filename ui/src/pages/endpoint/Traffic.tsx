import { useState } from "react";
import type { EndpointAnswer, Share } from "@/api/schema";
import { numberOf } from "@/base/format";
import { change } from "@/pages/serving/actions";
import { percentOf, percentText, targetText } from "@/pages/serving/figures";
import { targetsOf } from "@/pages/endpoint/targets";
import { Button, IconButton } from "@/parts/Button";
import { Select } from "@/parts/Dialog";
import { Card } from "@/parts/States";

interface Draft {
  target: string;
  weight: string;
}

/** Which version gets which part of the traffic; nothing changes before it is saved. */
export function Traffic({ answer }: { answer: EndpointAnswer }) {
  const { endpoint } = answer;
  const [draft, setDraft] = useState<readonly Draft[] | null>(null);
  const rows = draft ?? endpoint.traffic.map((share) => ({ target: share.target, weight: String(share.weight) }));
  const targets = targetsOf(answer);
  const shares: readonly Share[] = rows.map((row) => ({ target: row.target, weight: Number(row.weight) }));
  const good = shares.every((share) => (numberOf(share.weight) ?? -1) >= 0) && (shares.length === 0 || shares.some((share) => (numberOf(share.weight) ?? 0) > 0))
    && rows.every((row) => row.weight.trim() !== "");
  const put = (at: number, part: Partial<Draft>) => setDraft(rows.map((row, index) => (index === at ? { ...row, ...part } : row)));
  const unused = targets.find(([target]) => !rows.some((row) => row.target === target))?.[0];
  return (
    <Card title="Traffic" actions={unused !== undefined && <Button icon="add" onClick={() => setDraft([...rows, { target: unused, weight: rows.length ? "10" : "100" }])}>Add a share</Button>}>
      <div className="stack">
        {rows.length === 0 && <p className="soft">No rule: the newest version in Production answers, else the newest that is not archived.</p>}
        {rows.map((row, at) => (
          <div key={at} className="line" role="group" aria-label={`Share ${at + 1}`}>
            <Select
              quiet label="Version, stage or alias" value={row.target} onChange={(target) => put(at, { target })}
              options={targets.some(([target]) => target === row.target) ? targets : [[row.target, targetText(row.target)], ...targets]}
            />
            <input className="input endpoint-weight" type="number" min={0} step="any" aria-label="Weight" value={row.weight} onChange={(event) => put(at, { weight: event.target.value })} />
            <span className="figure grow soft">{good ? percentText(percentOf({ target: row.target, weight: Number(row.weight) }, shares)) : ""}</span>
            <IconButton icon="close" label={`Remove the share of ${targetText(row.target)}`} onClick={() => setDraft(rows.filter((_, index) => index !== at))} />
          </div>
        ))}
        {draft && (
          <div className="line">
            {!good && <span role="alert" className="problem">Weights are numbers from 0 on, one at least above 0.</span>}
            <span className="grow" />
            <Button onClick={() => setDraft(null)}>Discard</Button>
            <Button
              tone="main" disabled={!good}
              onClick={() => void change(endpoint, { traffic: [...shares] }, "The traffic is shared out anew").then(() => setDraft(null))}
            >Save</Button>
          </div>
        )}
        {endpoint.canary?.state === "RUNNING" && <p className="soft">While the canary runs, its step takes its part first; this rule shares out the rest.</p>}
      </div>
    </Card>
  );
}
