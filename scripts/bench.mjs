// `make bench`: the benchmark in bench/, on the worker as it is built from these sources. ARGS are its own.

import path from "node:path";

import { inRoot, main, run } from "./common.mjs";
import { ensurePackages, node22 } from "./packages.mjs";
import { buildWorker } from "./worker.mjs";

await main(async () => {
  await ensurePackages();
  await buildWorker();
  const env = { PATH: path.dirname(node22) + path.delimiter + process.env.PATH };
  return run(node22, [inRoot("bench", "run.mjs"), ...process.argv.slice(2)], { env });
});
