// The tools that build the worker: Rust with its wasm target, worker-build, and what worker-build calls.
//
// worker-build downloads wasm-bindgen, wasm-opt and esbuild by itself. Where it cannot (no way to GitHub), the first
// two are installed from the registries of cargo and npm instead. Tools live outside the checkout, so that the next clone has them.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { devNull, homedir } from "node:os";
import path from "node:path";

import { Refusal, inRoot, output, run, say } from "./common.mjs";

export const WASM_TARGET = "wasm32-unknown-unknown";

/** The binaryen that worker-build 0.8.7 would download (its src/versions.rs). */
const BINARYEN_VERSION = "132";

/** How long a download may take to show that it works; worker-build itself retries for half a minute. */
const PROBE_SECONDS = 6;

const userCache = process.env.XDG_CACHE_HOME || path.join(homedir(), ".cache");
const cache = process.env.TURNOUT_CACHE || path.join(userCache, "turnout");

/** Installs what is missing to compile for both targets. */
export async function ensureRust() {
  // The first call of a proxy of rustup may have to install the toolchain that rust-toolchain.toml names.
  const version = (await output("rustc", ["--version"])) ?? (await installToolchain());
  const needed = /^rust-version = "(.+)"$/m.exec(readFileSync(inRoot("Cargo.toml"), "utf8"))[1];
  const found = /\d+\.\d+\.\d+/.exec(version)[0];
  if (found.localeCompare(needed, "en", { numeric: true }) < 0)
    throw new Refusal(`Rust ${needed} or newer is needed and this is ${found}: run \`rustup update stable\`, then this again.`);

  const library = await output("rustc", ["--print", "target-libdir", "--target", WASM_TARGET]);
  if (library && existsSync(library)) return;
  say(`Adding the target ${WASM_TARGET} to Rust…`);
  if (!(await succeeds("rustup", ["target", "add", WASM_TARGET])))
    throw new Refusal(`Rust's standard library for ${WASM_TARGET} is missing: run \`rustup target add ${WASM_TARGET}\`, then this again.`);
}

async function installToolchain() {
  if (await output("rustup", ["--version"])) {
    say("Installing the Rust toolchain that rust-toolchain.toml names…");
    if (await succeeds("rustup", ["toolchain", "install"])) return output("rustc", ["--version"]);
  }
  throw new Refusal("Rust is needed: install it from https://rustup.rs, open a new shell, then run this again.");
}

/** Installs what is missing to build the worker: the path of worker-build, and the environment that it wants. */
export async function ensureBuildTools() {
  await ensureRust();
  const workerBuild = await cargoInstalled("worker-build", "worker-build", lockedVersion("worker"));
  // Its errors say what is wrong; a backtrace of its own would bury that.
  const env = { RUST_LIB_BACKTRACE: "0" };
  const esbuild = inRoot("node_modules", "esbuild", "bin", "esbuild");
  if (existsSync(esbuild)) env.ESBUILD_BIN = esbuild;

  const bindgenVersion = lockedVersion("wasm-bindgen");
  const optProgram = cached("wasm-opt", BINARYEN_VERSION, "node_modules", ".bin", "wasm-opt");
  const tools = [
    {
      variable: "WASM_BINDGEN_BIN",
      name: "wasm-bindgen",
      version: bindgenVersion,
      program: cached("wasm-bindgen", bindgenVersion, "bin", "wasm-bindgen"),
      install: () => cargoInstalled("wasm-bindgen", "wasm-bindgen-cli", bindgenVersion),
    },
    {
      variable: "WASM_OPT_BIN",
      name: "wasm-opt",
      version: BINARYEN_VERSION,
      program: optProgram,
      install: () => npmInstalled("wasm-opt", "binaryen", BINARYEN_VERSION, optProgram),
    },
  ].filter((tool) => !process.env[tool.variable] && !isInCacheOfWorkerBuild(tool));

  const isHere = (tool) => existsSync(tool.program);
  const download = !tools.every(isHere) && (await canDownload(bindgenVersion));
  for (const tool of tools) {
    if (isHere(tool) || !download) env[tool.variable] = await tool.install();
  }
  return { workerBuild, env };
}

/** The version of a crate in Cargo.lock. worker-build is released together with `worker`. */
function lockedVersion(crate) {
  const lock = readFileSync(inRoot("Cargo.lock"), "utf8");
  const found = new RegExp(`^name = "${crate}"\\r?\\nversion = "(.+)"`, "m").exec(lock);
  if (!found) throw new Refusal(`Cargo.lock names no version of ${crate}: run \`cargo generate-lockfile\`, then this again.`);
  return found[1];
}

/** Where a tool of that version is kept. */
export const cached = (tool, version, ...parts) => path.join(cache, `${tool}-${version}`, ...parts);

/** worker-build keeps what it downloaded in `<cache>/worker-build/<tool>-<platform>-<version>`. */
function isInCacheOfWorkerBuild({ name, version }) {
  const directory = path.join(process.platform === "darwin" ? path.join(homedir(), "Library", "Caches") : userCache, "worker-build");
  const entries = existsSync(directory) ? readdirSync(directory) : [];
  return entries
    .filter((entry) => entry.startsWith(`${name}-`) && entry.endsWith(`-${version}`))
    .some((entry) => [[name], ["bin", name]].some((parts) => existsSync(path.join(directory, entry, ...parts))));
}

/** Whether GitHub's release files can be had. One file stands for all tools and platforms: it is the way there that is asked for. */
async function canDownload(bindgenVersion) {
  const name = `wasm-bindgen-${bindgenVersion}-x86_64-unknown-linux-musl.tar.gz`;
  const url = `https://github.com/wasm-bindgen/wasm-bindgen/releases/download/${bindgenVersion}/${name}`;
  // curl knows the proxies of this machine; without it Node's own fetch has to do.
  if ((await output("curl", ["--version"])) !== undefined)
    return (await output("curl", ["-fsSL", "--max-time", `${PROBE_SECONDS}`, "--range", "0-0", "--output", devNull, url])) !== undefined;
  try {
    const signal = AbortSignal.timeout(PROBE_SECONDS * 1000);
    const response = await fetch(url, { headers: { range: "bytes=0-0" }, signal });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** A tool from crates.io: the path of its program, installed where it is missing. */
async function cargoInstalled(tool, crate, version) {
  const program = cached(tool, version, "bin", tool);
  if (existsSync(program)) return program;
  say(`Installing ${crate} ${version} with cargo (once; a few minutes)…`);
  const install = ["install", crate, "--version", `=${version}`, "--root", cached(tool, version)];
  if (await succeeds("cargo", [...install, "--locked"])) return program;
  // A mirror may lack one of the exact versions that the tool was released with.
  say(`That did not work with the versions that ${crate} was released with; trying with the newest compatible ones…`);
  if (await succeeds("cargo", install)) return program;
  throw new Refusal(`\`cargo install ${crate}\` failed (its message is above): mend that, then run this again.`);
}

/** A tool from npm: the path of its program, installed where it is missing. Renamed into place, so that it is there whole or not at all. */
async function npmInstalled(tool, npmPackage, version, program) {
  if (existsSync(program)) return program;
  say(`Installing ${npmPackage} ${version} with npm (once; 100 MB unpacked)…`);
  const place = cached(tool, version);
  const partial = `${place}.partial-${process.pid}`;
  mkdirSync(partial, { recursive: true });
  const install = ["install", "--prefix", partial, "--no-save", "--no-package-lock", "--loglevel=error", `${npmPackage}@${version}`];
  const installed = await succeeds("npm", install);
  if (installed && !existsSync(place)) renameSync(partial, place);
  rmSync(partial, { recursive: true, force: true });
  if (!installed) throw new Refusal(`\`npm install ${npmPackage}\` failed (its message is above): mend that, then run this again.`);
  return program;
}

/** Whether a command exists and succeeds. */
async function succeeds(command, args) {
  try {
    return (await run(command, args)) === 0;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}
