// The mirror of `relay::may_bypass` in glue.js, by the table that Rust is held to as well.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './harness.mjs';

test('the table holds here', async () => {
  // What the file takes from the runtime is not there in Node, and not needed.
  const source = readFileSync(join(ROOT, 'src/edge/glue.js'), 'utf8').replace(/^import .*"cloudflare:workers";$/m, '');
  const { queueMicrotask } = globalThis;
  const { mayBypass } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  globalThis.queueMicrotask = queueMicrotask;
  const { cases } = JSON.parse(readFileSync(join(ROOT, 'tests/fixtures/bypass.json'), 'utf8'));
  assert.ok(cases.length > 20);
  for (const { chunk, may } of cases) {
    assert.equal(mayBypass(new TextEncoder().encode(chunk)), may, JSON.stringify(chunk));
  }
});
