// What stands where content would: nothing yet, not loaded yet, or what went wrong.
import { Component, type ReactNode } from "react";
import { RequestError } from "@/api/client";
import { Button, CopyButton } from "@/parts/Button";

/** Three lines: what is missing, the shortest code that fixes it, a link. */
export function Empty({ title, code, children }: { title: string; code?: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p>{title}</p>
      {code && <Code text={code} />}
      {children && <p className="soft">{children}</p>}
    </div>
  );
}

/** Code to read and copy. */
export function Code({ text }: { text: string }) {
  return <div className="code"><pre tabIndex={0} className="scroll"><code>{text}</code></pre><CopyButton text={text} label="Copy code" /></div>;
}

/** Shown while a card waits for its first answer. */
export function Loading({ what = "Loading" }: { what?: string }) {
  return <p className="loading soft" role="status">{what}…</p>;
}

interface ErrorProps {
  /** What was being done, as in "The runs could not be loaded". */
  what: string;
  error: unknown;
  onRetry?: () => void;
}

/** What failed, the status, the request's id, and Retry. */
export function ErrorCard({ what, error, onRetry }: ErrorProps) {
  const told = error instanceof RequestError ? error : null;
  const facts = told ? [told.status ? `status ${told.status}` : "", told.requestId ? `request ${told.requestId}` : ""].filter(Boolean) : [];
  return (
    <div className="error-card" role="alert">
      <p><strong>{what}.</strong> {error instanceof Error ? error.message : String(error)}</p>
      {told?.hint && <p className="soft">{told.hint}</p>}
      <div className="line">
        {onRetry && <Button icon="refresh" onClick={onRetry}>Retry</Button>}
        {facts.length > 0 && <span className="soft mono">{facts.join(", ")}</span>}
      </div>
    </div>
  );
}

interface BoundaryProps {
  what: string;
  children: ReactNode;
}

/** Keeps an error within its card: the rest of the page goes on. */
export class Boundary extends Component<BoundaryProps, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return <ErrorCard what={this.props.what} error={this.state.error} onRetry={() => this.setState({ error: null })} />;
  }
}

interface Asked<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** The content of a query: its error, that it loads, or `children` of its data. */
export function Loaded<T>({ query, what, children }: { query: Asked<T>; what: string; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <Boundary what={`${what} could not be shown`}>{children(query.data)}</Boundary>;
  if (query.error) return <ErrorCard what={`${what} could not be loaded`} error={query.error} onRetry={() => void query.refetch()} />;
  return <Loading />;
}

/** A part of a page with a title of its own. */
export function Card({ title, actions, children, flush }: { title: ReactNode; actions?: ReactNode; children: ReactNode; flush?: boolean }) {
  return (
    <section className="card">
      <div className="card-head"><h2 className="grow cut">{title}</h2>{actions}</div>
      <div className={flush ? "card-body flush" : "card-body"}>{children}</div>
    </section>
  );
}
