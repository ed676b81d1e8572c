// `make dev`: from a fresh clone to a worker that answers on this machine. PORT chooses where; Ctrl-C ends it all.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { Refusal, inRoot, main, run, say, start } from "./common.mjs";
import { valueOf, withSecrets } from "./dev_vars.mjs";
import { ensurePackages, node22, wrangler } from "./packages.mjs";
import { buildWorker } from "./worker.mjs";

const HOST = "127.0.0.1";
const DEFAULT_PORT = 8787;
const START_SECONDS = 60;

/** Nothing here needs the network: no telemetry, no look for a newer wrangler, no question where on earth this machine is. */
const OFFLINE = { WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", CLOUDFLARE_CF_FETCH_ENABLED: "false" };

await main(async () => {
  const port = parsePort(process.env.PORT);
  await checkFree(port);
  await ensurePackages();
  await buildWorker();
  const adminKey = ensureSecrets();
  await seed();

  say("Starting wrangler dev…");
  const options = ["--ip", HOST, "--port", `${port}`, "--var", "DEMO:on", "--show-interactive-dev-session=false"];
  const server = start(node22, [wrangler, "dev", ...options], { env: OFFLINE });
  const ended = server.exit.then((code) => ({ code }));
  const first = await Promise.race([ended, answers(`http://${HOST}:${port}/healthz`)]);
  if (first?.code !== undefined) throw new Refusal("wrangler dev ended before the worker answered: its messages above say why.");
  say(welcome(`http://${HOST}:${port}`, adminKey));
  return (await ended).code;
});

function parsePort(text) {
  if (!text) return DEFAULT_PORT;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw new Refusal(`PORT must be a number from 1 to 65535, not "${text}".`);
}

async function checkFree(port) {
  const probe = createServer();
  const error = await new Promise((resolve) => {
    probe.once("error", resolve);
    probe.listen({ host: HOST, port, exclusive: true }, () => probe.close(() => resolve()));
  });
  if (error?.code === "EADDRINUSE")
    throw new Refusal(`Port ${port} is in use: stop what listens there, or choose another with \`make dev PORT=${port + 1}\`.`);
  if (error) throw new Refusal(`Port ${port} cannot be used (${error.message}): choose another with \`make dev PORT=${DEFAULT_PORT}\`.`);
}

/** Writes the secrets that .dev.vars lacks; the key to call the worker with. */
function ensureSecrets() {
  const file = inRoot(".dev.vars");
  const before = existsSync(file) ? readFileSync(file, "utf8") : "";
  const after = withSecrets(before);
  if (after !== before) {
    writeFileSync(file, after, { mode: 0o600 });
    say("Wrote random secrets to .dev.vars (git ignores it).");
  }
  return valueOf(after, "ADMIN_KEY");
}

async function seed() {
  say("Looking into the local KV…");
  const code = await run(node22, [inRoot("scripts", "seed.mjs")], { env: { ...OFFLINE, WRANGLER_LOG: "warn" } });
  if (code !== 0) throw new Refusal("The local KV could not be seeded; if its files are broken, remove .wrangler/state and run this again.");
}

/** Resolves when the worker answers. */
async function answers(url) {
  for (const end = Date.now() + START_SECONDS * 1000; Date.now() < end; await sleep(100)) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(START_SECONDS * 1000) });
      await response.body?.cancel();
      return;
    } catch {
      // Not listening yet.
    }
  }
  throw new Refusal(`The worker did not answer within ${START_SECONDS} s: the messages above may say why.`);
}

function welcome(base, key) {
  const body = { model: "turnout/demo", stream: true, user: "bob", messages: [{ role: "user", content: "What does a turnout do?" }] };
  const change = (verb, ask) => `curl ${base}/router/v1/routers/demo:${verb} -H 'authorization: Bearer ${key}' -H 'content-type: application/json' -d '${JSON.stringify(ask)}'`;
  return `
Turnout is running.

  Base URL    ${base}/v1
  Admin key   ${key}

Ask the demo router; \`user\` decides the variant, which the header x-turnout-variant names (try others than "bob"):

  curl -iN ${base}/v1/chat/completions -H 'authorization: Bearer ${key}' -H 'content-type: application/json' -d '${JSON.stringify(body)}'

Promote demo/sage to 100 %, and go back to 50/50. No restart: the first call more than 10 s later still gets what is
held and has it read again, every call after that gets the new weights:

  ${change("promote", { route_id: "default", variant_id: "sage" })}
  ${change("rollback", { revision: 1 })}

Each call's record is said in a line here. Ctrl-C stops it; the local KV stays in .wrangler/state.
`;
}
