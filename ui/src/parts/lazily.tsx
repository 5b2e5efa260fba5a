// Parts of a page that come when they are wanted. One that did not arrive says so in its place and can be asked for
// again; the second time the page is loaded anew, as after an update of the server its files have other names.
import { Component, lazy, useState, type ComponentType, type ReactNode } from "react";
import { ErrorCard } from "@/parts/States";

type Loaded = ComponentType<object>;

/** That the code of a part did not arrive. */
export class NotLoaded extends Error {
  override readonly name = "NotLoaded";
}

/** A component that is loaded when it is first rendered, within a Suspense. */
export function lazily<Kind extends ComponentType<never>>(load: () => Promise<{ default: Kind }>): Kind {
  const begin = () => lazy(async () => {
    try {
      return { default: (await load()).default as unknown as Loaded };
    } catch (error) {
      throw new NotLoaded(error instanceof Error ? error.message : String(error));
    }
  });
  let part = begin();
  let failures = 0;
  const Part = (props: object) => {
    const [turn, setTurn] = useState(0);
    const Shown = part;
    return (
      <Arrival key={turn} onRetry={() => {
        failures += 1;
        if (failures > 1) location.reload();
        part = begin();
        setTurn(turn + 1);
      }}><Shown {...props} /></Arrival>
    );
  };
  return Part as unknown as Kind;
}

/** Shows that a part has not arrived; every other error is for those around it. */
class Arrival extends Component<{ onRetry: () => void; children: ReactNode }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    if (!(error instanceof NotLoaded)) throw error;
    return <ErrorCard what="This part could not be loaded" error={error} onRetry={this.props.onRetry} />;
  }
}
