// Laws 8 and 9: who may call what, and how a refusal looks.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe } from 'node:test';
import OpenAI from 'openai';
import { call, callTo, eventually, get, openCall, sdk } from './client.mjs';
import { ADMIN_KEY, startWorker, test, workerFor } from './harness.mjs';
import { UPSTREAM_KEY, gatewayTo, routerOf, startUpstream } from './upstream.mjs';

const keyRecord = (key) => `key:${createHash('sha256').update(key).digest('hex')}`;
const CALLER = { id: 'k-1', name: 'app', scopes: ['call'] };
const keys = {
  'key-of-an-app': CALLER,
  'key-for-one-router': { ...CALLER, id: 'k-2', routers: ['allowed'] },
  'key-for-no-router': { ...CALLER, id: 'k-3', routers: [] },
  'key-with-models': { ...CALLER, id: 'k-4', scopes: ['call', 'models'] },
  'key-without-call': { ...CALLER, id: 'k-5', scopes: ['feedback', 'read'] },
  'key-revoked': { ...CALLER, id: 'k-6', revoked: true },
  'key-expired': { ...CALLER, id: 'k-7', expires_at: 1_000_000_000 },
  'key-that-will-expire': { ...CALLER, id: 'k-8', expires_at: 4_000_000_000 },
  'key-without-scopes': { id: 'k-9', name: 'nothing' },
};

let upstream;
let worker;
let documents;

before(async () => {
  upstream = await startUpstream();
  documents = {
    gateway: gatewayTo(upstream),
    'router:allowed': routerOf({ v: ['local/m1', 100] }),
    'router:other': routerOf({ v: ['local/m1', 100] }),
  };
  const records = Object.entries(keys).map(([key, record]) => [keyRecord(key), record]);
  worker = await startWorker({ kv: { ...documents, ...Object.fromEntries(records), [keyRecord('key-garbled')]: '{"id":' } });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

/** One call with these headers and no others. */
const callWith = (headers, model = 'turnout/allowed', at = worker) => call(at, callTo(model), { key: null, headers });

function assertRefused(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  const { error } = answer.json;
  assert.equal(error.code, code);
  assert.equal(typeof error.message, 'string');
  assert.equal(typeof error.type, 'string');
  assert.ok('param' in error);
  assert.match(answer.headers['content-type'], /^application\/json/);
}

describe('closed by default', () => {
  for (const [name, vars] of Object.entries({ 'no ADMIN_KEY': { ADMIN_KEY: undefined }, 'an empty ADMIN_KEY': { ADMIN_KEY: '' } })) {
    test(`${name}: every call is 401 not_configured, and is told what to set`, async (t) => {
      const closed = await workerFor(t, { vars, kv: documents });
      for (const headers of [{}, { authorization: `Bearer ${ADMIN_KEY}` }, { authorization: 'Bearer ' }, { authorization: 'Bearer undefined' }, { 'x-api-key': '' }]) {
        const answer = await callWith(headers, 'turnout/allowed', closed);
        assertRefused(answer, 401, 'not_configured');
        assert.match(answer.json.error.message, /ADMIN_KEY/);
      }
      assertRefused(await get(closed, '/v1/models', { key: null }), 401, 'not_configured');
      assert.equal((await get(closed, '/healthz', { key: null })).status, 200);
      assert.equal(upstream.untaken, 0);
    });
  }

  test('a stored key alone is a credential', async (t) => {
    const open = await workerFor(t, { vars: { ADMIN_KEY: undefined }, kv: { ...documents, [keyRecord('key-of-an-app')]: CALLER } });
    assert.equal((await callWith({ authorization: 'Bearer key-of-an-app' }, 'turnout/allowed', open)).status, 200);
  });
});

describe('header forms', () => {
  const base64 = (text) => Buffer.from(text).toString('base64');
  for (const key of [ADMIN_KEY, 'key-of-an-app']) {
    const forms = {
      Bearer: { authorization: `Bearer ${key}` },
      'bearer in lower case': { authorization: `bearer ${key}` },
      'Basic, raw': { authorization: `Basic ${key}` },
      'Basic, base64 of K': { authorization: `Basic ${base64(key)}` },
      'Basic, base64 of K:': { authorization: `Basic ${base64(`${key}:`)}` },
      'x-api-key': { 'x-api-key': key },
      'x-goog-api-key': { 'x-goog-api-key': key },
    };
    for (const [name, headers] of Object.entries(forms)) {
      test(`${name}, ${key === ADMIN_KEY ? 'the admin key' : 'a stored key'}`, async () => {
        const answer = await callWith(headers);
        assert.equal(answer.status, 200, answer.text);
      });
    }
  }

  const wrong = {
    none: {},
    'another key': { authorization: 'Bearer another' },
    'a prefix of the key': { authorization: `Bearer ${ADMIN_KEY.slice(0, -1)}` },
    'the key and more': { authorization: `Bearer ${ADMIN_KEY}x` },
    'the key without a scheme': { authorization: ADMIN_KEY },
    'another scheme': { authorization: `Digest ${ADMIN_KEY}` },
    'the key in another case': { authorization: `Bearer ${ADMIN_KEY.toUpperCase()}` },
    'the hash of a stored key': { authorization: `Bearer ${keyRecord('key-of-an-app').slice(4)}` },
    'Basic that is no base64': { authorization: 'Basic %%%' },
    'a cookie': { cookie: `key=${ADMIN_KEY}` },
    'a key of 10,000 characters': { authorization: `Bearer ${'k'.repeat(10_000)}` },
    'bytes beyond ASCII': { authorization: 'Bearer \xe9\xff' },
  };
  for (const [name, headers] of Object.entries(wrong)) {
    test(`${name} is 401 invalid_api_key`, async () => {
      const answer = await callWith(headers);
      assertRefused(answer, 401, 'invalid_api_key');
      const sent = Object.values(headers)[0]?.split(' ').at(-1);
      if (sent?.length > 5) assert.ok(!answer.text.includes(sent), 'the error shows what was sent');
    });
  }

  test('a key in the query is no credential', async () => {
    assertRefused(await call(worker, callTo('turnout/allowed'), { key: null, path: `/v1/chat/completions?key=${ADMIN_KEY}` }), 401, 'invalid_api_key');
  });
});

describe('what a stored key may do', () => {
  const cases = [
    ['key-of-an-app', 'turnout/allowed', 200],
    ['key-of-an-app', 'other', 200],
    ['key-of-an-app', 'local/m1', 403, 'model_not_allowed'],
    ['key-of-an-app', 'm1', 403, 'model_not_allowed'],
    ['key-for-one-router', 'turnout/allowed', 200],
    ['key-for-one-router', 'allowed', 200],
    ['key-for-one-router', 'turnout/other', 403, 'model_not_allowed'],
    ['key-for-one-router', 'local/m1', 403, 'model_not_allowed'],
    ['key-for-no-router', 'turnout/allowed', 403, 'model_not_allowed'],
    ['key-with-models', 'local/m1', 200],
    ['key-with-models', 'turnout/allowed', 200],
    ['key-without-call', 'turnout/allowed', 403, 'missing_scope'],
    ['key-without-scopes', 'turnout/allowed', 403, 'missing_scope'],
    ['key-revoked', 'turnout/allowed', 401, 'invalid_api_key'],
    ['key-expired', 'turnout/allowed', 401, 'invalid_api_key'],
    ['key-that-will-expire', 'turnout/allowed', 200],
    ['key-garbled', 'turnout/allowed', 401, 'invalid_api_key'],
  ];
  for (const [key, model, status, code] of cases) {
    test(`${key} names ${model}: ${status}`, async () => {
      const answer = await callWith({ authorization: `Bearer ${key}` }, model);
      if (status === 200) assert.equal(answer.status, 200, answer.text);
      else assertRefused(answer, status, code);
      assert.ok(!answer.text.includes(key));
      if (status === 200) assert.equal((await worker.record(answer)).key_id, keys[key].id);
    });
  }

  test('a key that may not name a router does not learn whether it exists', async () => {
    const [there, missing] = await Promise.all(['turnout/other', 'turnout/not-there'].map((model) => callWith({ 'x-api-key': 'key-for-one-router' }, model)));
    assert.deepEqual([there.status, there.json.error.code], [missing.status, missing.json.error.code]);
  });

  test('nearest names are those that the key may name', async () => {
    const answer = await eventually(() => callWith({ 'x-api-key': 'key-of-an-app' }, 'turnout/othr'), ({ text }) => text.includes('other'));
    assert.equal(answer.status, 404);
  });

  test('a key revoked in KV is refused within the TTL', async () => {
    worker.kv.put(keyRecord('key-short-lived'), { ...CALLER, id: 'k-10' });
    assert.equal((await callWith({ 'x-api-key': 'key-short-lived' })).status, 200);
    worker.kv.put(keyRecord('key-short-lived'), { ...CALLER, id: 'k-10', revoked: true });
    await eventually(() => callWith({ 'x-api-key': 'key-short-lived' }), ({ status }) => status === 401);
    // Nor does a record that cannot be read bring back what an earlier one allowed.
    worker.kv.put(keyRecord('key-short-lived'), { ...CALLER, id: 'k-10' });
    await eventually(() => callWith({ 'x-api-key': 'key-short-lived' }), ({ status }) => status === 200);
    worker.kv.put(keyRecord('key-short-lived'), 'no longer JSON');
    await eventually(() => callWith({ 'x-api-key': 'key-short-lived' }), ({ status }) => status === 401);
  });

  test('a refused call reaches no upstream', async () => {
    upstream.reset();
    await callWith({ 'x-api-key': 'key-for-no-router' });
    await callWith({});
    assert.equal(upstream.untaken, 0);
  });
});

describe('listing', () => {
  test('GET /healthz needs no key', async () => {
    assert.equal((await get(worker, '/healthz', { key: null })).status, 200);
  });

  test('the SDK lists routers and configured models', async () => {
    const page = await sdk(worker).models.list();
    const ids = page.data.map(({ id }) => id);
    for (const id of ['turnout/allowed', 'turnout/other']) assert.ok(ids.includes(id), ids.join());
    assert.ok(ids.some((id) => id === 'm1' || id === 'local/m1'), ids.join());
    for (const model of page.data) {
      assert.equal(model.object, 'model');
      assert.equal(typeof model.created, 'number');
      assert.equal(typeof model.owned_by, 'string');
    }
  });

  test('the SDK gets one of them, and every listed id can be got and called', async () => {
    assert.equal((await sdk(worker).models.retrieve('turnout/allowed')).id, 'turnout/allowed');
    for (const { id } of (await sdk(worker).models.list()).data) {
      assert.equal((await sdk(worker).models.retrieve(id)).id, id);
      await sdk(worker).chat.completions.create(callTo(id));
    }
    await assert.rejects(sdk(worker).models.retrieve('turnout/alowed'), (error) => error instanceof OpenAI.NotFoundError && error.code === 'model_not_found' && /allowed/.test(error.message));
  });

  test('a key sees what it may name', async () => {
    const answer = await get(worker, '/v1/models', { key: 'key-for-one-router' });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.json.data.map(({ id }) => id), ['turnout/allowed']);
    assert.equal((await get(worker, '/v1/models/turnout%2Fother', { key: 'key-for-one-router' })).status, 404);
  });

  test('the list needs a key', async () => {
    for (const path of ['/v1/models', '/v1/models/turnout/allowed']) assertRefused(await get(worker, path, { key: null }), 401, 'invalid_api_key');
  });

  test('nothing that is listed shows a credential', async () => {
    assert.doesNotMatch((await get(worker, '/v1/models')).text, new RegExp(UPSTREAM_KEY));
  });
});

describe('the official SDK throws its own classes', () => {
  const cases = [
    ['AuthenticationError', 'wrong', 'turnout/allowed', 'invalid_api_key'],
    ['PermissionDeniedError', 'key-for-one-router', 'turnout/other', 'model_not_allowed'],
    ['NotFoundError', ADMIN_KEY, 'turnout/nowhere', 'model_not_found'],
  ];
  for (const [name, apiKey, model, code] of cases) {
    test(name, async () => {
      for (const stream of [false, true]) {
        const error = await sdk(worker, { apiKey }).chat.completions.create(callTo(model, { stream })).then(() => assert.fail('no error'), (error) => error);
        assert.ok(error instanceof OpenAI[name], String(error));
        assert.equal(error.code, code);
      }
    });
  }
});

test('no credential is in the log', async () => {
  // A fault that is worth a line, so that there is a log at all.
  worker.kv.put('router:broken', '{');
  await call(worker, callTo('turnout/broken'));
  for (const secret of [ADMIN_KEY, UPSTREAM_KEY, ...Object.keys(keys)]) assert.ok(!worker.log().includes(secret), `the log holds ${secret}`);
});

test('an unauthenticated body is not waited for', async () => {
  const open = openCall(worker, undefined, { key: null, headers: { 'content-type': 'application/json', 'content-length': '1000', expect: '' } });
  const head = await open.head;
  assert.equal(head.statusCode, 401);
  open.hangUp();
});
