// Builds the page into `dist`: a static folder that any web server can serve.

import { cp, mkdir, rm } from "node:fs/promises";

import { build } from "esbuild";

const at = (path) => new URL(path, import.meta.url).pathname;
const dist = at("dist");

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
await build({
  entryPoints: [at("src/main.ts")],
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  sourcemap: true,
  legalComments: "linked",
  loader: { ".txt": "text" },
  outdir: dist,
  logLevel: "warning",
});
await cp(at("index.html"), `${dist}/index.html`);
await cp(at("style.css"), `${dist}/style.css`);
await cp(at("icon.svg"), `${dist}/icon.svg`);
await cp(at("node_modules/uplot/LICENSE"), `${dist}/uPlot-LICENSE.txt`);
await cp(at("../pkg/flockmq_wasm_bg.wasm"), `${dist}/flockmq_wasm_bg.wasm`);
