// Runs schemathesis against the real worker: `node tests/workerd/schemathesis.mjs <program> [options]`. What is tried and what is
// left out, each with its reason, is in `schemathesis.toml`. Exits with schemathesis's own code.
//
// Two of it run at a time, each with a worker of its own: one asks for models, the other for all else, which takes the downstreams
// away that models are served by. Within one, nothing is at a time: Python before 3.12 breaks there now and then.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ADMIN_KEY, startWorker } from './harness.mjs';
import { DONE, completion, delta, event, finishChunk, gatewayTo, json, sse, startUpstream } from './upstream.mjs';

/** Several times what it takes. */
const TIMEOUT_MS = 5 * 60_000;
const PARTS = [['--include-tag', 'Calls'], ['--exclude-tag', 'Calls']];

const [program, ...more] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const upstream = await startUpstream();
upstream.default = ({ json: { stream } }) => (stream ? sse([event(delta('hello')), event(finishChunk()), DONE]) : json(completion('hello')));

/** A downstream that answers at once, and the demo's models where it was taken away; of those `swift` errs now and then. */
const DEMO = {
  defaults: { text_generation_config: { max_tokens: 1 } },
  default_route: {
    route_id: 'default',
    variants: ['a', 'b'].map((id) => ({
      variant: { variant_id: id, model_id: 'local/m1', model_selection: { models: ['demo/swift', 'demo/sage'] } },
      weight: 50,
    })),
  },
};

const codes = await Promise.all(PARTS.map(async (part) => {
  const worker = await startWorker({
    vars: { DEMO: 'on' },
    kv: { gateway: gatewayTo(upstream), 'router:demo': DEMO, 'router:subject': DEMO },
  });
  try {
    return await run(worker, part);
  } finally {
    await worker.stop();
  }
}));
await upstream.close();
process.exit(Math.max(...codes));

async function run(worker, part) {
  const args = ['--no-color', '--config-file', join(here, 'schemathesis.toml'), 'run', `${worker.url}/openapi.json`, ...part, ...more];
  const env = { ...process.env, TURNOUT_KEY: ADMIN_KEY, PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn(program, args, { cwd: here, stdio: ['ignore', 'pipe', 'pipe'], env });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { printed += text; });
  const timer = setTimeout(() => {
    printed += `schemathesis did not end within ${TIMEOUT_MS / 60_000} minutes\n`;
    child.kill('SIGKILL');
  }, TIMEOUT_MS);
  const code = await new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', (exitCode) => done(exitCode ?? 1));
  });
  clearTimeout(timer);
  // One after the other, however they ran.
  process.stdout.write(`${part.join(' ')}\n${printed}\n`);
  return code;
}
