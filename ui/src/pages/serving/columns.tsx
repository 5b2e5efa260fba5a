import type { ServingEndpoint } from "@/api/schema";
import { count, number } from "@/base/format";
import { Link, path } from "@/frame/router";
import { ServingState } from "@/pages/models/columns";
import { useEndpoint, useTotals } from "@/pages/serving/actions";
import { percentText, replicasOf, ruleText, takingTraffic, type Totals } from "@/pages/serving/figures";
import type { MenuItem } from "@/parts/Menu";
import type { Column } from "@/parts/Table";
import { Time } from "@/parts/Values";

const DIGITS = 3;

export function columnsOf(menuOf: (row: ServingEndpoint) => readonly MenuItem[]): readonly Column<ServingEndpoint>[] {
  const figure = (key: string, title: string, width: number, shown: (totals: Totals) => readonly [string, string]): Column<ServingEndpoint> => ({
    key, title, width, number: true, cell: (row) => <Figure name={row.name} shown={shown} />,
  });
  const columns: Column<ServingEndpoint>[] = [
    { key: "name", title: "Name", width: 190, frozen: true, className: "edge", cell: (row) => <Link to={path`/serving/${row.name}`} tabIndex={-1}>{row.name}</Link> },
    { key: "state", title: "State", width: 110, cell: (row) => <span data-tip={row.reason ?? undefined}><ServingState state={row.state} /></span> },
    { key: "model", title: "Model", width: 150, cell: (row) => <Link to={path`/models/${row.model}`} tabIndex={-1}>{row.model}</Link> },
    { key: "versions", title: "Versions and traffic", width: 220, cell: (row) => <Versions row={row} /> },
    { key: "replicas", title: "Replicas", width: 80, number: true, cell: (row) => <Replicas name={row.name} /> },
    figure("rate", "Requests/s", 90, (totals) => [number(totals.rate, DIGITS), `${count(totals.requests)} in 15 minutes`]),
    figure("p50", "p50", 80, (totals) => [milliseconds(totals.p50), `of version ${totals.busiest}, which had most requests`]),
    figure("p95", "p95", 80, (totals) => [milliseconds(totals.p95), `of version ${totals.busiest}, which had most requests`]),
    figure("errors", "Errors", 80, (totals) => [percentText((100 * totals.errors) / totals.requests), `${count(totals.errors)} failed, ${count(totals.refused)} refused`]),
    { key: "since", title: "Since", width: 90, cell: (row) => <Time at={row.creation_timestamp} /> },
  ];
  return columns.map((column) => ({ ...column, cellMenu: menuOf }));
}

/** Seconds as milliseconds, "12.3 ms". */
export function milliseconds(seconds: number): string {
  return `${number(seconds * 1000, DIGITS)} ms`;
}

// A cell asks for what it shows: only rows in sight do, and cells of a row share the answer.
function Versions({ row }: { row: ServingEndpoint }) {
  const answer = useEndpoint(row.name).data;
  const taking = answer ? takingTraffic(answer) : [];
  if (taking.length === 0) return <span className="soft">{row.canary?.state === "RUNNING" ? `canary v${row.canary.version}` : ruleText(row)}</span>;
  const text = taking.map((one) => `v${one.version}${one.aliases.map((alias) => ` @${alias}`).join("")} ${percentText(one.percent)}`).join(", ");
  return <span data-tip={ruleText(row)}>{text}</span>;
}

function Replicas({ name }: { name: string }) {
  const answer = useEndpoint(name).data;
  if (!answer) return null;
  const { ready, all } = replicasOf(answer);
  return <span className="figure" data-tip={`${ready} of ${all} ready`}>{ready}/{all}</span>;
}

function Figure({ name, shown }: { name: string; shown: (totals: Totals) => readonly [string, string] }) {
  const totals = useTotals(name);
  if (!totals) return totals === null ? <span className="soft" data-tip="No requests in 15 minutes">–</span> : null;
  const [text, tip] = shown(totals);
  return <span className="figure" data-tip={tip}>{text}</span>;
}
