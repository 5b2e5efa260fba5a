// Every page: its address and the chunk that holds it.
import type { Route } from "@/frame/router";

export const ROUTES: readonly Route[] = [
  { path: "/", load: () => import("@/pages/experiments") },
  { path: "/exp/:id", load: () => import("@/pages/runs") },
  { path: "/run/:id", load: () => import("@/pages/run") },
  { path: "/models", load: () => import("@/pages/models") },
  { path: "/models/:name", load: () => import("@/pages/model") },
  { path: "/models/:name/:version", load: () => import("@/pages/version") },
  { path: "/compare", load: () => import("@/pages/compare") },
  { path: "/serving", load: () => import("@/pages/serving") },
  { path: "/serving/:name", load: () => import("@/pages/endpoint") },
  { path: "/webhooks", load: () => import("@/pages/webhooks") },
  { path: "/webhooks/:id", load: () => import("@/pages/webhook") },
  { path: "/trash", load: () => import("@/pages/trash") },
  { path: "/settings", load: () => import("@/pages/settings") },
];
