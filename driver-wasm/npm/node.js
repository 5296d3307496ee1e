// The same module for Node, which reads it from beside this file. Pages fetch it: `await init()`; here that is done already.
import { readFileSync } from "node:fs";

import { initSync } from "./flockmq_wasm.js";

initSync({ module: readFileSync(new URL("flockmq_wasm_bg.wasm", import.meta.url)) });

export * from "./flockmq_wasm.js";
export { default } from "./flockmq_wasm.js";
