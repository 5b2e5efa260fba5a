import { prefetch } from "@/api/queries";
import { GetEndpoint } from "@/api/schema";

export { default } from "@/pages/endpoint/Endpoint";

export function preload({ name = "" }: Record<string, string>): void {
  prefetch(GetEndpoint, { name });
}
