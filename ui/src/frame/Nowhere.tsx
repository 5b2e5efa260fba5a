import { usePath } from "@/base/location";
import { Link } from "@/frame/router";
import { Page } from "@/frame/Page";

/** What an address without a page shows. */
export function Nowhere() {
  const path = usePath();
  return (
    <Page title="Not found" padded>
      <p>There is no page at <code>{path}</code>.</p>
      <p><Link to="/">All experiments</Link></p>
    </Page>
  );
}
