// schemathesis: tries the worker with what the OpenAPI document allows, and with what it does not. From PyPI, into the cache.

import { existsSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";

import { output, runQuietly, say } from "./common.mjs";
import { cached } from "./tools.mjs";

const VERSION = "4.32.5";

/** schemathesis 4 runs on these and newer. */
const LEAST_PYTHON = [3, 10];

/** The path of its program, installed where it is missing; undefined, with a line that says why, where it cannot be. */
export async function ensureSchemathesis() {
  const bin = process.platform === "win32" ? "Scripts" : "bin";
  const program = cached("schemathesis", VERSION, bin, "schemathesis");
  if (existsSync(program)) return program;
  const version = await output("python3", ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
  if (!version) return skipped("there is no python3");
  const [major, minor] = version.split(".").map(Number);
  if (major < LEAST_PYTHON[0] || (major === LEAST_PYTHON[0] && minor < LEAST_PYTHON[1]))
    return skipped(`python3 is ${version}, and ${LEAST_PYTHON.join(".")} is needed`);
  say(`Installing schemathesis ${VERSION} from PyPI (once; half a minute)…`);
  // A virtual environment knows its own path: it is made where it stays, and a half of one is taken for none.
  const place = cached("schemathesis", VERSION);
  rmSync(place, { recursive: true, force: true });
  mkdirSync(path.dirname(place), { recursive: true });
  const isInstalled =
    (await succeeds("python3", ["-m", "venv", place])) &&
    (await succeeds(path.join(place, bin, "python"), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `schemathesis==${VERSION}`]));
  if (isInstalled && existsSync(program)) return program;
  rmSync(place, { recursive: true, force: true });
  return skipped("it could not be installed (pip's message is above)");
}

async function succeeds(command, args) {
  try {
    return (await runQuietly(command, args)) === 0;
  } catch {
    return false;
  }
}

function skipped(why) {
  say(`SKIPPED: ${why}. To have this step, install Python ${LEAST_PYTHON.join(".")} or newer with venv and pip.`);
}
