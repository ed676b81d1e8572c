// The mirror of `relay::may_bypass` in upstream.js, by the table that Rust is held to as well.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './harness.mjs';

test('the table holds here', async () => {
  const { mayBypass } = await import(join(ROOT, 'src/edge/upstream.js'));
  const { cases } = JSON.parse(readFileSync(join(ROOT, 'tests/fixtures/bypass.json'), 'utf8'));
  assert.ok(cases.length > 20);
  for (const { chunk, may } of cases) {
    assert.equal(mayBypass(new TextEncoder().encode(chunk)), may, JSON.stringify(chunk));
  }
});
