// Builds the worker into build/, unless what is there was built from the same sources.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";

import { Refusal, inRoot, root, runQuietly, say } from "./common.mjs";
import { ensureBuildTools } from "./tools.mjs";

/** Everything that the worker is made from. */
const INPUTS = ["src", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", ".cargo", "scripts/worker.mjs"];

/** What wrangler uploads. */
const OUTPUTS = ["build/index.js", "build/index_bg.wasm"];

/** Says what the outputs were built from. */
const STAMP = inRoot("build", ".inputs");

/** The bound that the project set itself; a Worker on the free plan may have more than twice that. */
const MAX_GZIPPED_BYTES = 1280 * 1024;

/** Builds what is missing, and refuses a worker that is too large. */
export async function buildWorker() {
  const inputs = fingerprint(INPUTS);
  if (isBuiltFrom(inputs)) {
    say(`The worker is up to date (${size()}).`);
  } else {
    const { workerBuild, env } = await ensureBuildTools();
    say("Building the worker (release; a minute or two, several the first time)…");
    rmSync(STAMP, { force: true });
    // Its bundler warns of each function of glue.js that wasm-bindgen imports by itself; all is well with them.
    const code = await runQuietly(workerBuild, ["--release"], { env });
    if (code !== 0) throw new Refusal("The worker does not build: the messages above say why.");
    sayImportsOnce(inRoot("build", "index.js"));
    writeFileSync(STAMP, inputs);
    say(`The worker is built (${size()}).`);
  }
  if (gzippedBytes() > MAX_GZIPPED_BYTES)
    throw new Refusal(`The worker is ${size()}, more than the ${kib(MAX_GZIPPED_BYTES)} that it may have: look for a dependency that grew.`);
}

/** wasm-bindgen names glue.js once for each function that it imports by itself; wrangler would warn of every one. */
function sayImportsOnce(file) {
  const code = readFileSync(file, "utf8");
  writeFileSync(file, code.replace(/("\.\/snippets\/[^"]+":\w+)(?:,\s*\1)+/g, "$1"));
}

const isBuiltFrom = (inputs) =>
  OUTPUTS.every((file) => existsSync(inRoot(file))) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === inputs;

const gzippedBytes = () => OUTPUTS.reduce((sum, file) => sum + gzipSync(readFileSync(inRoot(file))).length, 0);
const kib = (bytes) => `${Math.ceil(bytes / 1024)} KiB`;
const size = () => `${kib(gzippedBytes())} gzipped`;

/** A hash over names and contents, so that a checkout that only touches files does not rebuild. */
function fingerprint(inputs) {
  const hash = createHash("sha256");
  for (const file of inputs.flatMap((input) => filesIn(inRoot(input)))) {
    const bytes = readFileSync(file);
    hash.update(`${path.relative(root, file)}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

function filesIn(place) {
  if (!existsSync(place)) return [];
  if (!statSync(place).isDirectory()) return [place];
  return readdirSync(place)
    .sort()
    .flatMap((entry) => filesIn(path.join(place, entry)));
}
