// Puts the demo router into the local KV, where that has no key at all. Runs on Node.js 22, as wrangler does.
//
// wrangler's own proxy opens the same files as `wrangler dev` and `wrangler kv … --local`, without the start of a whole command.

import { readFileSync } from "node:fs";

import { getPlatformProxy } from "wrangler";

import { inRoot } from "./common.mjs";

const { env, dispose } = await getPlatformProxy({ configPath: inRoot("wrangler.toml"), remoteBindings: false });
const { keys } = await env.ROUTERS.list({ limit: 1 });
if (keys.length === 0) {
  await env.ROUTERS.put("router:demo", readFileSync(inRoot("demo", "router.json"), "utf8"));
  console.log("Put the demo router into the local KV (router:demo, from demo/router.json).");
}
await dispose();
