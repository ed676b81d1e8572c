// Runs schemathesis against the real worker: `node tests/workerd/schemathesis.mjs <program>`. What is tried and what is left out,
// each with its reason, is in `schemathesis.toml`. Exits with schemathesis's own code.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ADMIN_KEY, startWorker } from './harness.mjs';

/** Twice what it takes on a machine with two busy cores. */
const TIMEOUT_MS = Number(process.env.TIMEOUT_MS ?? 4 * 60_000);

const [program, ...more] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));

/** Answers within a tenth of a second, and fails over where that model errs, as it does now and then. */
const DEMO = {
  defaults: { text_generation_config: { max_tokens: 1 } },
  default_route: {
    route_id: 'default',
    variants: [
      { variant: { variant_id: 'a', model_id: 'demo/swift', model_selection: { models: ['demo/sage'] } }, weight: 50 },
      { variant: { variant_id: 'b', model_id: 'demo/swift', model_selection: { models: ['demo/sage'] } }, weight: 50 },
    ],
  },
};

const worker = await startWorker({
  vars: { DEMO: 'on' },
  kv: { 'router:demo': DEMO, 'router:subject': DEMO },
});
let code = 1;
try {
  code = await run([
    '--no-color',
    '--config-file', join(here, 'schemathesis.toml'),
    'run', `${worker.url}/openapi.json`,
    ...more,
  ]);
} finally {
  await worker.stop();
}
process.exit(code);

function run(args) {
  const child = spawn(program, args, { cwd: here, stdio: 'inherit', env: { ...process.env, TURNOUT_KEY: ADMIN_KEY, PYTHONDONTWRITEBYTECODE: '1' } });
  const timer = setTimeout(() => {
    console.error(`schemathesis did not end within ${TIMEOUT_MS / 60_000} minutes`);
    child.kill('SIGKILL');
  }, TIMEOUT_MS);
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('exit', (exitCode) => {
      clearTimeout(timer);
      done(exitCode ?? 1);
    });
  });
}
