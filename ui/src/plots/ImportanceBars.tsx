import { number } from "@/base/format";
import type { Importance } from "@/plots/ranks";
import "@/plots/plots.css";

interface Props {
  target: string;
  found: readonly Importance[];
  onPick: (key: string) => void;
}

const MOST = 200;

/** How much columns go with a target, as bars in a table. */
export function ImportanceBars({ target, found, onPick }: Props) {
  return (
    <table className="facts-table importance" aria-label={`Absolute rank correlation with ${target}`}>
      <thead><tr><th>Parameter</th><th>Absolute rank correlation with {target}</th><th className="number">Value</th><th>Direction</th><th className="number">Runs</th></tr></thead>
      <tbody>
        {found.slice(0, MOST).map(({ dimension, weight, sign, count }) => (
          <tr key={dimension.key}>
            <td><button type="button" className="importance-name" data-tip="Scatter it" onClick={() => onPick(dimension.key)}>{dimension.title}</button></td>
            <td className="importance-cell"><span className={`importance-bar${sign < 0 ? " down" : ""}`} style={{ width: `${weight * 100}%` }} /></td>
            <td className="number figure">{number(weight, 3)}</td>
            <td className="soft">{sign === 0 ? "categories: correlation ratio of ranks" : sign > 0 ? "rises with it" : "falls with it"}</td>
            <td className="number figure">{count}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
