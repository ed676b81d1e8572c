// The npm packages of package-lock.json, and the Node.js 22 among them that wrangler needs.

import { existsSync, readFileSync } from "node:fs";

import { Refusal, inRoot, run, say } from "./common.mjs";

/** Node.js 22: wrangler refuses the 20 that a machine may have. `npx` and `npm run` find it by themselves. */
export const node22 = inRoot("node_modules", ".bin", "node");

/** wrangler's program, to be run by `node22`. */
export const wrangler = inRoot("node_modules", "wrangler", "bin", "wrangler.js");

/** Installs the locked packages where they are missing or differ. */
export async function ensurePackages() {
  if (existsSync(node22) && isInstalled(readLock("package-lock.json"), readLock("node_modules", ".package-lock.json"))) return;
  say("Installing the npm packages (wrangler, workerd, Node.js 22)…");
  // Errors only: npm would warn that wrangler wants a newer Node.js, which is among the packages.
  const code = await run("npm", ["ci", "--loglevel=error"]);
  if (code !== 0) throw new Refusal("`npm ci` failed (its message is above): mend that, then run this again.");
}

/** Whether npm's record of what it installed has every package of the lock file; those for other platforms may be absent. */
export function isInstalled(lock, installed) {
  return Object.entries(lock)
    .filter(([path]) => path !== "")
    .every(([path, { version, optional }]) => (path in installed ? installed[path].version === version : optional === true));
}

function readLock(...path) {
  try {
    return JSON.parse(readFileSync(inRoot(...path), "utf8")).packages;
  } catch {
    return {};
  }
}
