import { Page } from "@/frame/Page";

export default function Runs({ id }: { id: string }) {
  return <Page title={id}>…</Page>;
}
