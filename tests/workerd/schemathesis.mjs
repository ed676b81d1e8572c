// Runs schemathesis against the real worker: `node tests/workerd/schemathesis.mjs <program>`. What is tried and what is left out,
// each with its reason, is in `schemathesis.toml`. Exits with schemathesis's own code.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ADMIN_KEY, ROOT, startWorker } from './harness.mjs';

/** Twice what it takes on a machine with two busy cores. */
const TIMEOUT_MS = Number(process.env.TIMEOUT_MS ?? 4 * 60_000);

const [program, ...more] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));

const worker = await startWorker({
  vars: { DEMO: 'on' },
  kv: { 'router:demo': readFileSync(join(ROOT, 'demo/router.json'), 'utf8') },
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
