import { QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { call } from "@/api/client";
import { queryClient } from "@/api/queries";
import { GetView, SaveView } from "@/api/schema";
import { startKeys } from "@/base/keys";
import { startPreferences } from "@/base/preferences";
import { addressChanged, currentPath, prefix } from "@/base/location";
import { setLongStates } from "@/base/url";
import { pathOfHash } from "@/frame/hash";
import { Nowhere } from "@/frame/Nowhere";
import { setRoutes } from "@/frame/router";
import { Shell } from "@/frame/Shell";
import { ROUTES } from "@/routes";
import "@/base/tokens.css";
import "@/base/base.css";
import "@/parts/parts.css";
import "@/frame/frame.css";

/** Links of MLflow's clients and pages lead to the same thing here. */
function followHash(): void {
  const path = pathOfHash(location.hash);
  if (path !== null) history.replaceState(null, "", prefix + path);
}

/** Whose state an address holds, as the server keeps it. */
function ownerOf(path: string): { page: string; experiment_ids: string[] } {
  const [, first = "", id = ""] = path.split("/");
  if (first === "exp") return { page: "runs", experiment_ids: [decodeURIComponent(id)] };
  return { page: first === "" ? "experiments" : first, experiment_ids: [] };
}

startPreferences();
startKeys();
followHash();
addEventListener("hashchange", () => {
  followHash();
  addressChanged();
});
setRoutes(ROUTES);
setLongStates({
  save: async (state) => (await call(SaveView, { ...ownerOf(currentPath()), state })).view.view_id,
  load: async (id) => (await call(GetView, { view_id: id })).view.state,
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <QueryClientProvider client={queryClient}>
      <Shell nowhere={<Nowhere />} />
    </QueryClientProvider>,
  );
}
