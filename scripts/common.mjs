// What every script here needs: saying things, refusing with a sentence, and starting processes that cannot outlive us.
//
// The scripts use Node's own library alone and run on Node 20, so that they work before anything is installed.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** A path in the checkout. */
export const inRoot = (...parts) => path.join(root, ...parts);

/** Tells the reader what happens now; a step that takes more than a second begins with one. */
export const say = (line) => console.log(line);

/** A fault that the reader can mend: its message is a sentence that says how, and is shown without a stack. */
export class Refusal extends Error {}

/** Runs a script's task; the process ends with its exit code, or 1 after a refusal. */
export async function main(task) {
  try {
    process.exitCode = (await task()) ?? 0;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    console.error(`\n${error.message}`);
    process.exitCode = 1;
  } finally {
    await stop();
  }
}

/** Running children. Each leads a process group of its own, so that its descendants end with it. */
const running = new Set();

/** Starts a command without stdin. `onStdout` and `onStderr` get what it prints instead of the terminal. */
export function start(command, args, { env = {}, quiet = false, onStdout, onStderr } = {}) {
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ["ignore", onStdout ? "pipe" : quiet ? "ignore" : "inherit", onStderr ? "pipe" : quiet ? "ignore" : "inherit"],
  });
  child.stdout?.setEncoding("utf8").on("data", onStdout);
  child.stderr?.setEncoding("utf8").on("data", onStderr);
  running.add(child);
  child.exit = new Promise((resolve, reject) => {
    child.on("error", (error) => {
      running.delete(child);
      reject(error.code === "ENOENT" ? new Refusal(`\`${command}\` was not found; install it and put it on the PATH.`) : error);
    });
    child.on("close", (code, signal) => {
      running.delete(child);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
  return child;
}

/** Runs a command to its end: its exit code. */
export const run = (command, args, options) => start(command, args, options).exit;

/** Runs a command to its end, and shows what it printed only where it fails: its exit code. */
export async function runQuietly(command, args, options) {
  let printed = "";
  const child = start(command, args, { ...options, onStdout: (text) => (printed += text), onStderr: (text) => (printed += text) });
  const code = await child.exit;
  if (code !== 0) process.stderr.write(printed);
  return code;
}

/** What a command prints; undefined where it fails or does not exist. */
export async function output(command, args) {
  let text = "";
  try {
    const code = await run(command, args, { quiet: true, onStdout: (chunk) => (text += chunk) });
    return code === 0 ? text.trim() : undefined;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** The time that processes have to end by themselves before they are killed. */
const GRACE_MS = 3000;

/** Ends processes with all their descendants; returns when none is left. */
export async function stop(children = [...running]) {
  const groups = children.map((child) => child.pid).filter(Boolean);
  const signalled = (signal) => groups.filter((group) => signalGroup(group, signal));
  signalled("SIGTERM");
  for (let waited = 0; waited < GRACE_MS && signalled(0).length > 0; waited += 50) await sleep(50);
  signalled("SIGKILL");
}

/** Whether the group had a process that took the signal. */
function signalGroup(group, signal) {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}

let stopping = false;

async function end(signal) {
  if (stopping) {
    for (const child of running) signalGroup(child.pid, "SIGKILL");
  } else {
    stopping = true;
    await stop();
  }
  process.exit(128 + constants.signals[signal]);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);

// `make` passes SIGTERM on, but cannot when it is killed outright: then we have another parent.
if (process.env.MAKELEVEL) {
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || end("SIGTERM"), 500).unref();
}
