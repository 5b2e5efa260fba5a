import { useLocation } from "wouter";
import { Link } from "@/frame/router";
import { Page } from "@/frame/Page";

/** What an address without a page shows. */
export function Nowhere() {
  const [location] = useLocation();
  return (
    <Page title="Not found" padded>
      <p>There is no page at <code>{location}</code>.</p>
      <p><Link to="/">All experiments</Link></p>
    </Page>
  );
}
