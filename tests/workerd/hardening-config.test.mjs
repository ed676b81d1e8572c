// What people and machines put into KV, and what callers put into names: large, odd, late, or none of their business.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, beforeEach, describe } from 'node:test';
import { call, callTo, eventually, get } from './client.mjs';
import { ADMIN_KEY, test, workerFor } from './harness.mjs';
import { gatewayTo, routerOf, startUpstream } from './upstream.mjs';

const LONG_TTL = { CONFIG_TTL_SECONDS: '3600' };
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const CALLER = { id: 'k-1', name: 'app', scopes: ['call'] };

const good = (version = 'good', rest) => routerOf({ [version]: ['local/m1', 100] }, rest);
const keyRecord = (key) => `key:${createHash('sha256').update(key).digest('hex')}`;
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

let upstream;

before(async () => { upstream = await startUpstream(); });
after(() => upstream?.close());
beforeEach(() => upstream.reset());

/** A worker for one test, whose gateway leads to the upstream. */
const workerWith = (t, kv, vars = LONG_TTL) => workerFor(t, { vars, kv: { gateway: gatewayTo(upstream), ...kv } });

describe('large documents are read in a few seconds at the most', () => {
  const MOST_MS = 5_000;
  const variant = (weight) => ({ variant: { model_id: 'local/m1' }, weight });
  const large = {
    // Numbering them one by one from 2 would look 32 million times whether an id is free.
    '8,000 routes of one condition, without ids': [
      { routes: Array.from({ length: 8000 }, () => ({ condition: { cel_expression: 'n == 1' }, route: { variants: [variant(100)] } })), ...good() },
      ({ headers }) => assert.equal(headers['x-turnout-route'], `r-${createHash('sha256').update('n == 1').digest('hex').slice(0, 8)}`),
    ],
    'a route of 10,000 variants of one model, without ids': [
      { default_route: { variants: Array.from({ length: 10_000 }, () => variant(0.01)) } },
      ({ headers }) => assert.match(headers['x-turnout-variant'], /^local\/m1(-\d+)?$/),
    ],
  };
  for (const [name, [document, check]] of Object.entries(large)) {
    test(name, async (t) => {
      const worker = await workerWith(t, { 'router:large': document, 'router:small': good() });
      await call(worker, callTo('turnout/small'));
      const began = performance.now();
      const answer = await call(worker, callTo('turnout/large', { user: 'u', metadata: { n: 1 } }));
      const took = performance.now() - began;
      assert.equal(answer.status, 200, answer.text.slice(0, 500));
      check(answer);
      assert.ok(took < MOST_MS, `it took ${took.toFixed()} ms`);
    });
  }
});

describe('a key\'s record that says something else than was meant admits nobody', () => {
  const records = {
    'expiresAt in the past': { ...CALLER, expiresAt: 1_000_000_000 },
    'expires_at in the past': { ...CALLER, expires_at: 1_000_000_000 },
    '"Revoked"': { ...CALLER, Revoked: true },
    '"revokd"': { ...CALLER, revokd: true },
    '"router" in place of "routers"': { ...CALLER, router: ['other'] },
    'a field that nobody knows': { ...CALLER, only_on_sundays: true },
    'a field that is given twice': '{"id":"k-1","scopes":["call"],"revoked":true,"revoked":false}',
  };
  for (const [name, record] of Object.entries(records)) {
    test(name, async (t) => {
      const worker = await workerWith(t, { 'router:one': good(), [keyRecord('odd-key')]: record, [keyRecord('plain-key')]: CALLER });
      assert.equal((await call(worker, callTo('turnout/one'), { key: 'plain-key' })).status, 200);
      const answer = await call(worker, callTo('turnout/one'), { key: 'odd-key' });
      assert.equal(answer.status, 401, answer.text);
      assert.equal(answer.json.error.code, 'invalid_api_key');
      assert.ok(!answer.text.includes('odd-key'));
    });
  }
});

describe('after a pause longer than the TTL the first call finds', () => {
  const TTL = { CONFIG_TTL_SECONDS: '1' };

  test('a router that was absent', async (t) => {
    const worker = await workerWith(t, {}, TTL);
    assert.equal((await call(worker, callTo('turnout/later'))).status, 404);
    worker.kv.put('router:later', good());
    await pause(1_500);
    const answer = await call(worker, callTo('turnout/later'));
    assert.equal(answer.status, 200, answer.text);
  });

  test('a router that was mended', async (t) => {
    const worker = await workerWith(t, { 'router:mended': '{"routes": [' }, TTL);
    assert.equal((await call(worker, callTo('turnout/mended'))).status, 503);
    worker.kv.put('router:mended', good());
    await pause(1_500);
    const answer = await call(worker, callTo('turnout/mended'));
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['x-turnout-note'], undefined);
  });
});

test('a revision that comes to the same bytes is the revision', async (t) => {
  const worker = await workerWith(t, { 'router:adopted': good() }, { CONFIG_TTL_SECONDS: '1' });
  const revision = async () => (await call(worker, callTo('turnout/adopted'))).headers['x-turnout-revision'];
  assert.match(await revision(), /^h-/);
  worker.kv.put('router:adopted', good(), { revision: 7 });
  await eventually(revision, (now) => now === '7');
});

describe('how a document is written', () => {
  const withBom = (document) => Buffer.concat([BOM, Buffer.from(JSON.stringify(document))]);

  test('a router with a byte order mark serves', async (t) => {
    const worker = await workerWith(t, { 'router:bom': withBom(good()) });
    const answer = await call(worker, callTo('turnout/bom'));
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['x-turnout-note'], undefined);
  });

  test('a gateway with a byte order mark serves', async (t) => {
    const worker = await workerWith(t, { gateway: withBom(gatewayTo(upstream)), 'router:one': good() });
    const answer = await call(worker, callTo('turnout/one'));
    assert.equal(answer.status, 200, answer.text);
  });

  test('what is odd in a router is logged once, and harms nobody', async (t) => {
    const document = good('good', { colour_of_the_team: 'green', default_route: { failover: { targets: ['local/m2'] } } });
    const worker = await workerWith(t, { 'router:odd': document }, { CONFIG_TTL_SECONDS: '1' });
    const ok = async () => {
      const answer = await call(worker, callTo('turnout/odd'));
      assert.equal(answer.status, 200, answer.text);
      return answer;
    };
    await ok();
    await eventually(ok, () => worker.kv.reads('router:odd') >= 3);
    await eventually(async () => worker.log(), (log) => log.includes('router:odd'));
    const lines = worker.log().split('\n').filter((line) => line.includes('router:odd'));
    assert.equal(lines.length, 1, lines.join('\n'));
    for (const word of ['colour_of_the_team', 'failover']) assert.ok(lines[0].includes(word), lines[0]);
  });

  test('what is odd in the next version is logged again', async (t) => {
    const worker = await workerWith(t, { 'router:odd': good('good', { first_oddity: 1 }) }, { CONFIG_TTL_SECONDS: '1' });
    const log = async () => {
      await call(worker, callTo('turnout/odd'));
      return worker.log();
    };
    await eventually(log, (text) => text.includes('first_oddity'));
    worker.kv.put('router:odd', good('good', { second_oddity: 1 }));
    await eventually(log, (text) => text.includes('second_oddity'));
  });
});

describe('headers and names have an end', () => {
  test('a model of 300 bytes is 400 and names the field', async (t) => {
    const worker = await workerWith(t, { 'router:one': good() });
    for (const model of [`local/${'m'.repeat(294)}`, `turnout/${'m'.repeat(292)}`, 'm'.repeat(300), 'é'.repeat(150)]) {
      assert.equal(Buffer.byteLength(model), 300);
      const answer = await call(worker, callTo(model));
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json.error.code, 'invalid_request');
      assert.equal(answer.json.error.param, 'model');
      assert.match(answer.json.error.message, /model/);
      assert.ok(!answer.text.includes(model), 'the error repeats the whole name');
    }
    assert.equal(upstream.untaken, 0);
  });

  for (const [name, letter] of Object.entries({ ASCII: '%', 'two bytes': 'é', 'four bytes': '😀' })) {
    test(`a note of many letters of ${name} is about 1 KiB as it is sent`, async (t) => {
      const broken = good('good', { default_route: { variants: [{ variant: { variant_id: letter.repeat(3000), model_id: 'local/m1' }, weight: 100 }] } });
      const worker = await workerWith(t, { 'router:noted': broken, 'good:noted': good() });
      const answer = await call(worker, callTo('turnout/noted'));
      assert.equal(answer.status, 200, answer.text);
      const note = answer.headers['x-turnout-note'];
      assert.ok(note.length <= 1_100, `${note.length} bytes`);
      assert.match(decodeURIComponent(note), /variant_id/);
    });
  }
});

describe('one model or router of GET /v1/models', () => {
  const one = (worker, name = 'one') => get(worker, `/v1/models/turnout%2F${name}`);

  test('is found beyond the end of the list', async (t) => {
    const many = Object.fromEntries(Array.from({ length: 10_500 }, (_, at) => [`router:many-${at}`, '{}']));
    const worker = await workerWith(t, { ...many, 'router:zz-last': good() });
    const answer = await one(worker, 'zz-last');
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.id, 'turnout/zz-last');
  });

  test('is found when it came after the list was made', async (t) => {
    const worker = await workerWith(t, { 'router:one': good() });
    assert.equal((await get(worker, '/v1/models')).status, 200);
    worker.kv.put('router:two', good());
    const answer = await one(worker, 'two');
    assert.equal(answer.status, 200, answer.text);
  });

  test('is found where names cannot be listed', async (t) => {
    const worker = await workerWith(t, { 'router:one': good() });
    worker.kv.fail = ({ op }) => op === 'list';
    const answer = await one(worker);
    assert.equal(answer.status, 200, answer.text);
  });

  test('is found where names cannot be listed and it is a model', async (t) => {
    const worker = await workerWith(t, {});
    worker.kv.fail = ({ op }) => op === 'list';
    const id = (await call(worker, callTo('m1'))).status === 200 ? 'm1' : 'local/m1';
    const answer = await get(worker, `/v1/models/${encodeURIComponent(id)}`);
    assert.equal(answer.status, 200, answer.text);
  });

  test('is not found by a key that may not name it', async (t) => {
    const worker = await workerWith(t, { 'router:one': good(), [keyRecord('narrow-key')]: { ...CALLER, routers: ['two'] } });
    const answer = await get(worker, '/v1/models/turnout%2Fone', { key: 'narrow-key' });
    assert.equal(answer.status, 404, answer.text);
  });
});

describe('nearest names', () => {
  const MODEL = 'configured-model-one';
  const kv = () => ({ gateway: gatewayTo(upstream, { local: [MODEL] }), [keyRecord('app-key')]: CALLER, [keyRecord('models-key')]: { ...CALLER, scopes: ['call', 'models'] } });

  test('are no names of models to a key that may call routers only', async (t) => {
    const worker = await workerWith(t, kv(), { ...LONG_TTL, DEMO: 'on' });
    for (const [asked, known] of [['configured-model-on', MODEL], ['sagee', 'demo/sage']]) {
      for (const key of [ADMIN_KEY, 'models-key']) {
        const told = await call(worker, callTo(asked), { key });
        assert.equal(told.status, 404, told.text);
        assert.ok(told.text.includes(known), told.text);
      }
      const untold = await call(worker, callTo(asked), { key: 'app-key' });
      assert.equal(untold.status, 404, untold.text);
      assert.ok(!untold.text.includes(known), untold.text);
    }
  });

  test('are those of the demo where it is on: sage is demo/sage', async (t) => {
    const worker = await workerWith(t, {}, { ...LONG_TTL, DEMO: 'on' });
    const answer = await call(worker, callTo('sage'));
    assert.equal(answer.status, 404, answer.text);
    assert.equal(answer.json.error.code, 'model_not_found');
    assert.match(answer.json.error.message, /'demo\/sage'/);
  });

  test('are none of the demo where it is off', async (t) => {
    const worker = await workerWith(t, {});
    assert.doesNotMatch((await call(worker, callTo('sage'))).text, /demo\/sage/);
  });
});

describe('a model that begins with demo/', () => {
  for (const DEMO of ['off', 'on']) {
    test(`is its downstream's where one lists it, with the demo ${DEMO}`, async (t) => {
      const worker = await workerWith(t, { gateway: gatewayTo(upstream, { local: ['demo/llama'] }) }, { ...LONG_TTL, DEMO });
      const answer = await call(worker, callTo('demo/llama'));
      assert.equal(answer.status, 200, answer.text);
      assert.equal((await upstream.take()).json.model, 'demo/llama');
      assert.equal((await worker.record(answer)).provider, 'local');
    });
  }

  test('is no model of a variant while the demo is off', async (t) => {
    const worker = await workerWith(t, { 'router:on-demo': routerOf({ only: ['demo/sage', 100] }) });
    const answer = await call(worker, callTo('turnout/on-demo'));
    assert.equal(answer.status, 502, answer.text);
    assert.equal(answer.json.error.code, 'upstream_model');
    assert.match(answer.json.error.message, /DEMO/);
    assert.equal(answer.headers['x-turnout-variant'], 'only');
    const record = await worker.record(answer);
    assert.equal(record.outcome, 'refused');
    assert.equal(record.error_kind, 'upstream_model');
  });
});

describe('credentials', () => {
  test('the admin key needs no KV, in no form', async (t) => {
    const worker = await workerWith(t, { 'router:one': good() });
    worker.kv.fail = ({ key }) => key.startsWith('key:');
    const base64 = (text) => Buffer.from(text).toString('base64');
    for (const authorization of [`Basic ${base64(`${ADMIN_KEY}:`)}`, `Basic ${base64(ADMIN_KEY)}`, `Basic ${ADMIN_KEY}`]) {
      const answer = await call(worker, callTo('turnout/one'), { key: null, headers: { authorization } });
      assert.equal(answer.status, 200, answer.text);
    }
    const beside = await call(worker, callTo('turnout/one'), { key: 'something-else', headers: { 'x-api-key': ADMIN_KEY } });
    assert.equal(beside.status, 200, beside.text);
  });

  test('without ADMIN_KEY a wrong key is told what is true beside stored keys', async (t) => {
    const worker = await workerFor(t, { vars: { ...LONG_TTL, ADMIN_KEY: undefined }, kv: { gateway: gatewayTo(upstream), 'router:one': good(), [keyRecord('app-key')]: CALLER } });
    assert.equal((await call(worker, callTo('turnout/one'), { key: 'app-key' })).status, 200);
    const answer = await call(worker, callTo('turnout/one'), { key: 'wrong-key' });
    assert.equal(answer.status, 401, answer.text);
    const { code, message } = answer.json.error;
    assert.ok(['not_configured', 'invalid_api_key'].includes(code), code);
    assert.doesNotMatch(message, /no credentials are configured|every call is refused/i);
    assert.match(message, /ADMIN_KEY/);
    assert.match(message, /\bknown\b/i);
  });
});

test('a rule that lacks a name says so in the error itself', async (t) => {
  const worker = await workerWith(t, { 'router:ruled': { rule: { cel_expression: 'user_hash(user_id) % 2 == 0 ? "local/a" : "local/b"' } } });
  const answer = await call(worker, callTo('turnout/ruled'));
  assert.equal(answer.status, 404, answer.text);
  assert.equal(answer.json.error.code, 'no_route_matched');
  assert.match(answer.json.error.message, /user_id/);
});
