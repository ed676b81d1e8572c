// A key's tier limits its calls, and nothing else does; a limiter that is not there or fails limits nobody.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe } from 'node:test';
import { call, callTo, get, sdk } from './client.mjs';
import { ADMIN_KEY, startWorker, test, workerFor } from './harness.mjs';
import { gatewayTo, routerOf, startUpstream } from './upstream.mjs';

const keyRecord = (key) => `key:${createHash('sha256').update(key).digest('hex')}`;
const record = (id, tier) => ({ id, name: id, scopes: ['call'], tier });
/** Each test has keys of its own, for the limiter never forgets one. */
const keys = {
  'tk-low-1': record('low-1', 'low'),
  'tk-low-2': record('low-2', 'low'),
  'tk-low-3': record('low-3', 'low'),
  'tk-low-4': record('low-4', 'low'),
  'tk-low-5': record('low-5', 'low'),
  'tk-standard': record('standard-1', 'standard'),
  'tk-high': record('high-1', 'high'),
  'tk-none': record('none-1', undefined),
  'tk-gold': record('gold-1', 'gold'),
};
const LIMITS = { RATE_LOW: 2, RATE_STANDARD: 4, RATE_HIGH: 6 };

let upstream;
let worker;
let kv;

before(async () => {
  upstream = await startUpstream();
  const records = Object.entries(keys).map(([key, value]) => [keyRecord(key), value]);
  kv = { gateway: gatewayTo(upstream), 'router:chat': routerOf({ v: ['local/m1', 100] }), ...Object.fromEntries(records) };
  worker = await startWorker({ kv, limits: LIMITS });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

const callWith = (key, at = worker) => call(at, callTo('turnout/chat'), { key });

async function statuses(key, times, at = worker) {
  const seen = [];
  for (let time = 0; time < times; time += 1) seen.push((await callWith(key, at)).status);
  return seen;
}

describe('a tier', () => {
  for (const [key, limit] of [['tk-low-1', 2], ['tk-standard', 4], ['tk-high', 6]]) {
    test(`${key} makes ${limit} calls, and no more`, async () => {
      const expected = [...Array(limit).fill(200), 429, 429];
      assert.deepEqual(await statuses(key, limit + 2), expected);
    });
  }

  test('is counted by the key', async () => {
    assert.deepEqual(await statuses('tk-low-2', 3), [200, 200, 429]);
    assert.equal((await callWith('tk-low-3')).status, 200);
  });

  for (const key of ['tk-none', 'tk-gold', ADMIN_KEY]) {
    test(`there is none: ${key === ADMIN_KEY ? 'the admin key' : key} calls as often as it likes`, async () => {
      assert.deepEqual(await statuses(key, 8), Array(8).fill(200));
    });
  }

  test('limits calls alone', async () => {
    await statuses('tk-low-4', 3);
    for (let time = 0; time < 3; time += 1) assert.equal((await get(worker, '/v1/models', { key: 'tk-low-4' })).status, 200);
  });
});

describe('a call over the limit', () => {
  before(() => statuses('tk-low-5', 2));

  /** Path, and what of the body is its code, in each dialect. */
  const DIALECTS = {
    openai: ['/v1/chat/completions', ({ error }) => error.code],
    anthropic: ['/v1/messages', ({ error }) => error.code],
    openai_responses: ['/v1/responses', ({ error }) => error.code],
    gemini: ['/v1beta/models/turnout%2Fchat:generateContent', ({ error }) => error.details[0].reason],
  };
  for (const [dialect, [path, code]] of Object.entries(DIALECTS)) {
    test(`is 429 rate_limited in ${dialect}, and is told when to come back`, async () => {
      const answer = await call(worker, callTo('turnout/chat'), { key: 'tk-low-5', path });
      assert.equal(answer.status, 429, answer.text);
      assert.equal(code(answer.json), 'rate_limited');
      assert.equal(answer.headers['retry-after'], '60');
      assert.match(answer.json.error.message, /tier `low`.*deployed.*locations/);
      assert.ok(!answer.text.includes('tk-low-5'));
    });
  }

  test('is the RateLimitError of the official SDK', async () => {
    const error = await sdk(worker, { apiKey: 'tk-low-5' }).chat.completions.create(callTo('turnout/chat')).then(() => assert.fail('no error'), (error) => error);
    assert.equal(error.constructor.name, 'RateLimitError');
    assert.equal(error.code, 'rate_limited');
  });

  test('reaches no upstream', async () => {
    upstream.reset();
    await callWith('tk-low-5');
    assert.equal(upstream.untaken, 0);
  });
});

describe('a limiter that cannot count', () => {
  for (const [name, limits] of [['is missing', {}], ['fails', { RATE_LOW: null }]]) {
    test(`${name}: calls pass, and the log says so once`, async (t) => {
      const open = await workerFor(t, { kv, limits });
      assert.deepEqual(await statuses('tk-low-1', 5, open), Array(5).fill(200));
      const lines = open.log().split('\n').filter((line) => line.includes('RATE_LOW'));
      assert.equal(lines.length, 1, open.log());
      assert.match(lines[0], /not limited/);
      assert.ok(!open.log().includes('tk-low-1'));
    });
  }
});
