import type { Run } from "@/api/schema";
import { exact } from "@/base/format";
import { Change } from "@/pages/models/columns";
import { fieldValues, pairs, type Pair } from "@/pages/version/differences";
import type { VersionModel } from "@/pages/version/model";
import { Checkbox } from "@/parts/Dialog";
import { Card } from "@/parts/States";
import { KeyName, Num } from "@/parts/Values";

const SMALL_IS_GOOD = /loss|err|rmse|mse|mae|perplexity|deviance|latency|seconds/i;
const DIGITS = 5;

interface Side {
  title: string;
  run: Run | undefined;
  model: VersionModel | undefined;
}

const metricsOf = (run: Run | undefined) => new Map((run?.data?.metrics ?? []).filter(({ key }) => !key.startsWith("system/")).map(({ key, value }) => [key, value]));
const paramsOf = (run: Run | undefined) => new Map((run?.data?.params ?? []).map(({ key, value }) => [key, value]));
const texts = (values: ReadonlyMap<string, number | string>) => new Map([...values].map(([key, value]) => [key, exact(value)]));

/** The metrics of a version's run beside those of another. */
export function Metrics({ own, other, only }: { own: Side; other: Side | null; only?: boolean }) {
  const [mine, theirs] = [metricsOf(own.run), metricsOf(other?.run)];
  const rows = pairs(texts(mine), texts(theirs)).filter((row) => !only || row.own !== row.other);
  return (
    <Card title="Metrics" flush>
      {rows.length === 0 ? <p className="soft empty-line">{only ? "No metric differs." : "Its run has none."}</p> : (
        <table className="facts-table" aria-label="Metrics">
          <thead><tr><th>Metric</th><th className="number">{own.title}</th>{other && <><th className="number">{other.title}</th><th className="number">Change</th></>}</tr></thead>
          <tbody>
            {rows.map(({ key }) => (
              <tr key={key}>
                <td><KeyName>{key}</KeyName></td><td className="number"><Num value={mine.get(key)} digits={DIGITS} /></td>
                {other && <><td className="number"><Num value={theirs.get(key)} digits={DIGITS} /></td><td className="number"><Change value={mine.get(key) ?? ""} before={theirs.get(key)} goal={SMALL_IS_GOOD.test(key) ? "min" : "max"} than={other.title.toLowerCase()} /></td></>}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  );
}

/** Values side by side; those that differ are tinted. */
export function Values({ title, what, rows, own, other, only }: { title: string; what: string; rows: readonly Pair[]; own: string; other: string | null; only?: boolean }) {
  const shown = only ? rows.filter((row) => row.own !== row.other) : rows;
  return (
    <Card title={title} flush>
      {shown.length === 0 ? <p className="soft empty-line">{rows.length ? `No ${what} differs.` : `There is no ${what}.`}</p> : (
        <table className="facts-table" aria-label={title}>
          <thead><tr><th>Name</th><th>{own}</th>{other !== null && <th>{other}</th>}</tr></thead>
          <tbody>
            {shown.map((row) => (
              <tr key={row.key} className={other !== null && row.own !== row.other ? "version-differs" : undefined}>
                <td className="mono"><KeyName>{row.key}</KeyName></td><td className="mono">{row.own ?? <span className="soft">none</span>}</td>
                {other !== null && <td className="mono">{row.other ?? <span className="soft">none</span>}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  );
}

export function Params({ own, other, only }: { own: Side; other: Side | null; only?: boolean }) {
  return <Values title="Parameters" what="parameter" rows={pairs(paramsOf(own.run), other ? paramsOf(other.run) : new Map())} own={own.title} other={other?.title ?? null} only={only} />;
}

/** Everything in which two versions can differ: metrics, parameters, what the models take and give. */
export function Difference({ own, other, only, onOnly }: { own: Side; other: Side; only: boolean; onOnly: (only: boolean) => void }) {
  const schema = (part: "inputs" | "outputs" | "params") => pairs(fieldValues(own.model?.[part] ?? []), fieldValues(other.model?.[part] ?? []));
  return (
    <>
      <Checkbox label="Only differences" checked={only} onChange={onOnly} />
      <Metrics own={own} other={other} only={only} />
      <Params own={own} other={other} only={only} />
      <Values title="Inputs" what="input" rows={schema("inputs")} own={own.title} other={other.title} only={only} />
      <Values title="Outputs" what="output" rows={schema("outputs")} own={own.title} other={other.title} only={only} />
      <Values title="Parameters of predictions" what="parameter of predictions" rows={schema("params")} own={own.title} other={other.title} only={only} />
    </>
  );
}
