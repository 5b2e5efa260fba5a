import { asked } from "@/api/client";
import { bytes } from "@/base/format";
import { Dialog } from "@/parts/Dialog";

/** The requests of this page, with the time they took here and on the server. */
export default function Inspector({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Requests" onClose={onClose} width={860}>
      <div className="inspector" tabIndex={0} role="region" aria-label="Requests">
        <table className="facts-table">
          <thead><tr><th>Request</th><th>Status</th><th className="number">Took</th><th>Server</th><th className="number">Size</th><th>Id</th></tr></thead>
          <tbody>
            {asked.map((one) => (
              <tr key={`${one.requestId} ${one.path}`}>
                <td className="mono">{one.method} {decodeURIComponent(one.path.split("?")[0] ?? "")}</td><td className="number">{one.status}</td>
                <td className="number">{one.milliseconds.toFixed(0)} ms</td><td className="mono">{one.timing}</td>
                <td className="number">{one.bytes ? bytes(one.bytes) : ""}</td><td className="mono">{one.requestId}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Dialog>
  );
}
