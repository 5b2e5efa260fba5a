import type { EndpointAnswer, Replica, ServedVersion } from "@/api/schema";
import { number, numberOf } from "@/base/format";
import { Link, path } from "@/frame/router";
import { change, ReplicaState } from "@/pages/serving/actions";
import { percentText } from "@/pages/serving/figures";
import { Button } from "@/parts/Button";
import { Card, Empty } from "@/parts/States";
import { Chip, Time } from "@/parts/Values";

/** The versions of an endpoint, their part of the traffic, and the scoring processes of each. */
export function Versions({ answer }: { answer: EndpointAnswer }) {
  const { endpoint } = answer;
  const versions = (answer.versions ?? []).toSorted((left, right) => Number(right.version) - Number(left.version));
  return (
    <Card title="Versions" flush>
      {versions.length === 0 ? <Empty title={endpoint.enabled ? "The model has no version to serve." : "Nothing runs: the endpoint is switched off."} /> : (
        <table className="facts-table">
          <thead><tr><th scope="col">Version</th><th scope="col" className="number">Traffic</th><th scope="col">Replicas</th><th scope="col"><span className="unseen">Actions</span></th></tr></thead>
          <tbody>
            {versions.map((one) => (
              <tr key={one.version}>
                <td><VersionName model={endpoint.model} one={one} /></td>
                <td className="number">{percentText(numberOf(one.percent) ?? 0)}</td>
                <td>{(one.replicas ?? []).length === 0 ? <ReplicaState state={one.state} /> : (one.replicas ?? []).map((replica) => <ReplicaLine key={`${replica.host} ${replica.number}`} replica={replica} />)}</td>
                <td className="number">
                  {numberOf(one.percent) !== 100 && endpoint.canary?.state !== "RUNNING" && (
                    <Button
                      tip={`Version ${one.version} answers every request from now on`} aria-label={`All traffic to version ${one.version}`}
                      onClick={() => void change(endpoint, { traffic: [{ target: one.version, weight: 1 }] }, `Version ${one.version} gets all the traffic`)}
                    >All traffic</Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  );
}

function VersionName({ model, one }: { model: string; one: ServedVersion }) {
  return (
    <span className="chips">
      <Link to={path`/models/${model}/${one.version}`}>v{one.version}</Link>
      {one.stage !== "None" && <Chip>{one.stage}</Chip>}
      {one.aliases.map((alias) => <Chip key={alias} icon="alias">{alias}</Chip>)}
      {one.shadow && <Chip title="Gets copies of requests; its answers are not sent">shadow</Chip>}
    </span>
  );
}

function ReplicaLine({ replica }: { replica: Replica }) {
  const process = replica.pid ? `process ${replica.pid}${replica.port ? `, port ${replica.port}` : ""}, host ${replica.host}` : `host ${replica.host}`;
  return (
    <div className="endpoint-replica">
      <span data-tip={process}><ReplicaState state={replica.state} /></span>
      <span className="soft"><Time at={replica.since} /></span>
      {replica.restarts > 0 && <span className="soft">{number(replica.restarts)} restarts</span>}
      {replica.error && <span className="problem">{replica.error}</span>}
    </div>
  );
}
