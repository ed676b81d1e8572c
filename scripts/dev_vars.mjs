// .dev.vars: the secrets of a local worker, which wrangler reads as `NAME=value` lines. What the developer wrote there stays.

import { randomBytes } from "node:crypto";

/** What a local worker needs, and how a new one is drawn. */
const SECRETS = {
  ADMIN_KEY: () => `tk-${randomBytes(20).toString("hex")}`,
  UNIT_HASH_KEY: () => randomBytes(32).toString("hex"),
};

/** The file's text with a line for each secret that has no value yet. */
export function withSecrets(text) {
  const missing = Object.keys(SECRETS).filter((name) => !valueOf(text, name));
  if (missing.length === 0) return text;
  const lines = missing.map((name) => `${name}=${SECRETS[name]()}\n`);
  return text + (text === "" || text.endsWith("\n") ? "" : "\n") + lines.join("");
}

/** The value that wrangler will see: of the last line with that name, without its quotes or a comment after it. */
export function valueOf(text, name) {
  const line = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=[ \\t]*(?:"([^"\\n]*)"|'([^'\\n]*)'|([^#\\r\\n]*))`, "gm");
  const found = [...text.matchAll(line)].at(-1);
  return found && (found[1] ?? found[2] ?? found[3].trim());
}
