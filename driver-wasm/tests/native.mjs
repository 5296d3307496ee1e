// The native twin of the runs in `runs.mjs`.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Makes a run natively for each seed; seed → "hash delivered". */
export function native(run, seeds) {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const cargo = process.env.CARGO ?? "cargo";
  const build = ["run", "--quiet", "--locked", "--package", "flockmq-wasm", "--example", "parity", "--", run, ...seeds];
  const { status, stdout, error } = spawnSync(cargo, build, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (error) throw error;
  assert.equal(status, 0, "the native program failed");
  const words = stdout.trim().split("\n").map((line) => line.split(" "));
  return new Map(words.map(([seed, hash, delivered]) => [seed, `${hash} ${delivered}`]));
}
