import { useEffect, type ReactNode } from "react";
import { Link } from "@/frame/router";

interface Props {
  title: string;
  /** The pages above it, outermost first: [address, name]. */
  way?: readonly (readonly [string, string])[];
  /** How many things it shows, as "2,000 runs". */
  count?: ReactNode;
  /** The middle of the bar: a filter, as a rule. */
  middle?: ReactNode;
  actions?: ReactNode;
  /** Scrolls as a whole, with room around; without it the content fills the page and sees to itself. */
  padded?: boolean;
  children: ReactNode;
}

/** A page: the one bar, and the content below it. */
export function Page({ title, way = [], count, middle, actions, padded, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Millstream`;
  }, [title]);
  return (
    <>
      <header className="bar">
        <nav className="bar-way" aria-label="Breadcrumb">
          {way.map(([address, name]) => [
            <Link key={address} to={address} className="cut">{name}</Link>, <span key={`${address} /`} className="soft" aria-hidden="true">/</span>,
          ])}
          <h1 className="cut" data-tip={title.length > 40 ? title : undefined}>{title}</h1>
        </nav>
        {count !== undefined && <span className="bar-count" role="status">{count}</span>}
        <div className="bar-middle">{middle}</div>
        <div className="bar-actions">{actions}</div>
      </header>
      <div className={padded ? "content padded" : "content"} tabIndex={padded ? 0 : undefined} role={padded ? "region" : undefined} aria-label={padded ? "Content" : undefined}>{children}</div>
    </>
  );
}
