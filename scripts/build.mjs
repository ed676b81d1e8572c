// `make build`, and the `[build]` command of wrangler.toml.

import { main } from "./common.mjs";
import { buildWorker } from "./worker.mjs";

await main(buildWorker);
