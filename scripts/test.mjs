// `make test`: every check of the project, all of them even where one fails, and the sum of them as the last line.

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { Refusal, inRoot, main, run, say, start } from "./common.mjs";
import { cargoCounts, tapCounts, withExitCode } from "./counts.mjs";
import { ensurePackages, node22 } from "./packages.mjs";
import { ensureSchemathesis } from "./schemathesis.mjs";
import { WASM_TARGET, ensureRust } from "./tools.mjs";
import { buildWorker } from "./worker.mjs";

/** A test that hangs fails after this time, so that the rest still runs. */
const TEST_TIMEOUT_MS = 5 * 60 * 1000;

const BUILD = "build of the worker, and its size";
const WRANGLER_QUIET = { WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true" };

const cargo = (args, env) => () => run("cargo", args, { env });

/** Each step gives an exit code, as a single check, or counts. What is quick to fail comes first. */
const STEPS = [
  { name: "formatting", check: cargo(["fmt", "--check"]) },
  { name: "lints, native", check: cargo(["clippy", "--locked", "--all-targets", "--", "-D", "warnings"]) },
  { name: "lints, wasm", check: cargo(["clippy", "--locked", "--lib", "--target", WASM_TARGET, "--", "-D", "warnings"]) },
  { name: "documentation", check: cargo(["doc", "--locked", "--no-deps", "--quiet"], { RUSTDOCFLAGS: "-D warnings" }) },
  { name: "native tests", check: nativeTests },
  { name: "tests of the scripts", check: () => nodeTests("scripts") },
  { name: BUILD, check: buildWorker },
  { name: "wrangler deploy --dry-run", check: dryRun, needsWorker: true },
  { name: "tests in workerd", check: () => nodeTests("tests/workerd"), needsWorker: true },
  { name: "the OpenAPI document against the worker", check: schemathesis, needsWorker: true },
];

await main(async () => {
  await ensurePackages();
  await ensureRust();
  const total = { passed: 0, failed: 0 };
  const faults = [];
  for (const { name, check, needsWorker } of STEPS) {
    say(`\n== ${name}`);
    if (needsWorker && faults.includes(BUILD)) {
      say("Left out, for there is no worker to try.");
      continue;
    }
    const began = Date.now();
    const { passed, failed } = await counts(check);
    say(`== ${name}: ${passed} passed, ${failed} failed (${Math.round((Date.now() - began) / 1000)} s)`);
    total.passed += passed;
    total.failed += failed;
    if (failed > 0) faults.push(name);
  }
  say(faults.length > 0 ? `\nFailed: ${faults.join("; ")}. The messages stand above, under the step's name.` : "");
  say(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 ? 0 : 1;
});

async function counts(check) {
  try {
    const result = (await check()) ?? 0;
    return typeof result === "number" ? { passed: result === 0 ? 1 : 0, failed: result === 0 ? 0 : 1 } : result;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say(error.message);
    return { passed: 0, failed: 1 };
  }
}

async function nativeTests() {
  let text = "";
  const onStdout = (chunk) => {
    text += chunk;
    process.stdout.write(chunk);
  };
  const code = await start("cargo", ["test", "--locked", "--no-fail-fast"], { onStdout }).exit;
  return withExitCode(cargoCounts(text), code);
}

/** Where it cannot be installed, a line says SKIPPED and why, and nothing is counted. */
async function schemathesis() {
  const program = await ensureSchemathesis();
  if (!program) return { passed: 0, failed: 0 };
  return run(node22, [inRoot("tests", "workerd", "schemathesis.mjs"), program], { env: WRANGLER_QUIET });
}

/** As a user would deploy: `npx` under whatever Node.js is there, and the `[build]` command of wrangler.toml. */
function dryRun() {
  return run("npx", ["--no-install", "wrangler", "deploy", "--dry-run"], { env: WRANGLER_QUIET });
}

/** Runs the `*.test.mjs` of a folder with Node.js 22: a readable report for the reader, a TAP one for the counts. */
async function nodeTests(folder) {
  const files = existsSync(inRoot(folder)) ? readdirSync(inRoot(folder)).filter((file) => file.endsWith(".test.mjs")) : [];
  if (files.length === 0) {
    say(`There are no tests in ${folder} yet.`);
    return { passed: 0, failed: 0 };
  }
  const reports = mkdtempSync(path.join(tmpdir(), "turnout-test-"));
  try {
    const tap = path.join(reports, "report.tap");
    const reporters = ["--test-reporter=spec", "--test-reporter-destination=stdout", "--test-reporter=tap", `--test-reporter-destination=${tap}`];
    const paths = files.sort().map((file) => path.join(folder, file));
    const env = { ...WRANGLER_QUIET, PATH: path.dirname(node22) + path.delimiter + process.env.PATH };
    const code = await run(node22, ["--test", `--test-timeout=${TEST_TIMEOUT_MS}`, ...reporters, ...paths], { env });
    return withExitCode(tapCounts(existsSync(tap) ? readFileSync(tap, "utf8") : ""), code);
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}
