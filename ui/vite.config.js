import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { compress } from "./vite/compress.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const server = process.env.MILLSTREAM_TRACKING_URI ?? "http://127.0.0.1:5000";
const API = ["/api", "/ajax-api", "/get-artifact", "/model-versions", "/version", "/endpoints", "/openapi.json", "/docs"];

// What every page has: one file, so that a page costs few requests.
const SHELL = new RegExp([
  "node_modules.(?:react|react-dom|scheduler)\\W", "@tanstack",
  "src.base", "src.api", "src.frame.(?:Page|router|Shell|Nowhere|hash)", "vite.preload-helper",
  "src.parts.(?!Sanitised|Tree|Drawer|Dialog|TagEditor|completion)", "src.charts.(?:curves|colours|arrangement)", "src.pages.experiments.(?!dialogs)",
].join("|"));

export default defineConfig({
  // Relative addresses, resolved by <base>, as a server may live below a prefix.
  base: "./",
  plugins: [react(), compress()],
  resolve: { alias: { "@": here("./src") } },
  build: {
    outDir: process.env.MILLSTREAM_UI_OUT ?? here("../src/millstream/server/ui"),
    emptyOutDir: true,
    manifest: "manifest.json",
    sourcemap: false,
    target: "es2022",
    reportCompressedSize: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    rolldownOptions: { output: { codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: "shell", test: SHELL }, { name: "forms", test: /src.parts.(?:Dialog|TagEditor)/ }] } } },
  },
  server: { proxy: Object.fromEntries(API.map((path) => [path, { target: server, changeOrigin: true, headers: { origin: server } }])) },
  test: { include: ["src/**/*.test.ts"], environment: "node", css: true },
});
