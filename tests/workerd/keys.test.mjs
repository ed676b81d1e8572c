// Client keys made through the API: shown once, good for calls, changed, revoked; and those that somebody put into KV by hand.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe } from 'node:test';
import { call, callTo, eventually, get } from './client.mjs';
import { ADMIN_KEY, startWorker, test } from './harness.mjs';
import { gatewayTo, routerOf, startUpstream } from './upstream.mjs';

const sha256 = (key) => createHash('sha256').update(key).digest('hex');
const KEYS = '/router/v1/keys';
/** By hand, long before control was there. */
const BY_HAND = { id: 'old-app', name: 'Old app', scopes: ['call'] };

let upstream;
let worker;

before(async () => {
  upstream = await startUpstream();
  worker = await startWorker({
    kv: {
      gateway: gatewayTo(upstream),
      'router:chat': routerOf({ v: ['local/m1', 100] }),
      'router:other': routerOf({ v: ['local/m1', 100] }),
      [`key:${sha256('ck-by-hand')}`]: BY_HAND,
      [`key:${sha256('ck-garbled')}`]: '{"id":',
    },
  });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

/** Every key that was made, so that the log can be searched for them. */
const made = [];

const ask = (method, path, body, { key = ADMIN_KEY, headers = {} } = {}) => call(worker, body, { method, path, key, headers });

async function make(asked) {
  const answer = await ask('POST', KEYS, asked);
  if (answer.status === 201) made.push(answer.json.key);
  return answer;
}

const callWith = (key, model = 'turnout/chat') => call(worker, callTo(model), { key });

describe('a key that is made', () => {
  test('is shown once, and calls', async () => {
    const answer = await make({ name: 'Mobile app', scopes: ['call'], routers: ['chat'] });
    assert.equal(answer.status, 201, answer.text);
    const { key, ...rest } = answer.json;
    assert.match(key, /^tk-[0-9a-f]{40}$/);
    assert.equal(rest.id, 'mobile-app');
    assert.equal(rest.revoked, false);
    assert.equal(rest.kv, 'written');
    assert.deepEqual(rest.warnings, []);
    assert.equal(answer.headers.etag, `"${rest.etag}"`);

    assert.equal((await callWith(key)).status, 200);
    const refused = await callWith(key, 'turnout/other');
    assert.deepEqual([refused.status, refused.json.error.code], [403, 'model_not_allowed']);
    assert.equal((await worker.record(await callWith(key))).key_id, 'mobile-app');

    const got = await get(worker, `${KEYS}/mobile-app`);
    assert.equal(got.status, 200, got.text);
    assert.deepEqual(got.json, rest);
    for (const secret of [key, sha256(key)]) assert.ok(!got.text.includes(secret));
  });

  test('is stored as its hash alone', async () => {
    const { json: { key } } = await make({ name: 'Stored', scopes: ['read'] });
    const stored = worker.kv.get(`key:${sha256(key)}`).toString();
    assert.deepEqual(JSON.parse(stored), { id: 'stored', name: 'Stored', scopes: ['read'], revoked: false });
    for (const name of worker.kv.list()) assert.ok(!`${name} ${worker.kv.get(name)}`.includes(key));
  });

  test('has an id of its own', async () => {
    const ids = [];
    for (let time = 0; time < 3; time += 1) ids.push((await make({ name: 'Twin', scopes: ['call'] })).json.id);
    assert.deepEqual(ids, ['twin', 'twin-2', 'twin-3']);
    assert.equal((await make({ name: 'Old app', scopes: ['call'] })).json.id, 'old-app-2');
  });

  test('says what is wrong with what was asked for, all at once', async () => {
    const answer = await make({ name: '', scopes: ['root'], tier: 'gold', expires_at: 1 });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json.error.code, 'invalid_document');
    assert.deepEqual(answer.json.error.details.map(({ path }) => path), ['name', 'scopes[0]', 'tier', 'expires_at']);
  });

  test('is warned about a router that is not there', async () => {
    const answer = await make({ name: 'Early', scopes: ['call'], routers: ['chat', 'cht'] });
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(answer.json.warnings.map(({ path }) => path), ['routers[1]']);
  });
});

describe('a key that is changed', () => {
  test('keeps what is not named, and calls see it', async () => {
    const { json: { key } } = await make({ name: 'Changing', scopes: ['call'], routers: ['chat'] });
    assert.equal((await callWith(key, 'turnout/other')).status, 403);
    const changed = await ask('PATCH', `${KEYS}/changing`, { routers: null, tier: 'high', name: 'Changed' });
    assert.equal(changed.status, 200, changed.text);
    assert.equal(changed.json.id, 'changing');
    assert.deepEqual([changed.json.name, changed.json.routers, changed.json.tier, changed.json.scopes], ['Changed', null, 'high', ['call']]);
    assert.equal(changed.json.key, undefined);
    await eventually(() => callWith(key, 'turnout/other'), ({ status }) => status === 200);
  });

  test('cannot be changed unseen', async () => {
    const { json: { etag } } = await make({ name: 'Contended', scopes: ['call'] });
    const first = await ask('PATCH', `${KEYS}/contended`, { tier: 'low' }, { headers: { 'if-match': `"${etag}"` } });
    assert.equal(first.status, 200, first.text);
    for (const [body, headers] of [[{ tier: 'high' }, { 'if-match': `"${etag}"` }], [{ tier: 'high', etag }, {}]]) {
      const second = await ask('PATCH', `${KEYS}/contended`, body, { headers });
      assert.deepEqual([second.status, second.json.error.code], [412, 'etag_mismatch']);
    }
    assert.equal((await get(worker, `${KEYS}/contended`)).json.tier, 'low');
  });

  test('that is revoked stays so', async () => {
    const { json: { key } } = await make({ name: 'Doomed', scopes: ['call'] });
    assert.equal((await callWith(key)).status, 200);
    const revoked = await ask('DELETE', `${KEYS}/doomed`);
    assert.equal(revoked.status, 200, revoked.text);
    assert.equal(revoked.json.revoked, true);
    const refused = await eventually(() => callWith(key), ({ status }) => status !== 200);
    assert.deepEqual([refused.status, refused.json.error.code], [401, 'invalid_api_key']);
    // Its record stays, and can neither be brought back nor deleted.
    assert.equal((await get(worker, `${KEYS}/doomed`)).json.revoked, true);
    const back = await ask('PATCH', `${KEYS}/doomed`, { scopes: ['call'] });
    assert.deepEqual([back.status, back.json.error.code], [409, 'conflict']);
    assert.equal((await ask('DELETE', `${KEYS}/doomed`)).status, 200);
    assert.equal((await make({ name: 'Doomed', scopes: ['call'] })).json.id, 'doomed-2');
  });
});

describe('a record that somebody put into KV', () => {
  test('is listed and changed like any other', async () => {
    const list = await get(worker, `${KEYS}?page_size=100`);
    assert.equal(list.status, 200, list.text);
    assert.ok(list.json.keys.some(({ id }) => id === 'old-app'), list.text);
    const changed = await ask('PATCH', `${KEYS}/old-app`, { scopes: ['call', 'models'] });
    assert.equal(changed.status, 200, changed.text);
    assert.deepEqual(JSON.parse(worker.kv.get(`key:${sha256('ck-by-hand')}`)).scopes, ['call', 'models']);
    await eventually(() => callWith('ck-by-hand', 'local/m1'), ({ status }) => status === 200);
  });

  test('and cannot be read is shown with its fault, and can be revoked', async () => {
    const list = await get(worker, `${KEYS}?page_size=100`);
    const garbled = list.json.keys.find(({ faults }) => faults);
    assert.ok(garbled, list.text);
    assert.equal(garbled.path_id, `key-${sha256('ck-garbled').slice(0, 12)}`);
    const refused = await ask('PATCH', `${KEYS}/${garbled.path_id}`, { tier: 'low' });
    assert.deepEqual([refused.status, refused.json.error.code], [409, 'conflict']);
    const revoked = await ask('DELETE', `${KEYS}/${garbled.path_id}`);
    assert.equal(revoked.status, 200, revoked.text);
    assert.equal(revoked.json.revoked, true);
  });

  test('and has the id of another is known by another name', async () => {
    const hash = sha256('ck-second');
    worker.kv.put(`key:${hash}`, { id: 'double', scopes: ['call'] });
    worker.kv.put(`key:${sha256('ck-first')}`, { id: 'double', scopes: ['call'] });
    await get(worker, `${KEYS}?page_size=100`);
    const both = await get(worker, `${KEYS}/double`);
    assert.deepEqual([both.status, both.json.error.code], [409, 'conflict']);
    assert.match(both.json.error.message, new RegExp(`key-${hash.slice(0, 12)}`));
    assert.equal((await get(worker, `${KEYS}/key-${hash.slice(0, 12)}`)).json.id, 'double');
  });
});

describe('the list', () => {
  test('has pages, and every key on one of them', async () => {
    const all = (await get(worker, `${KEYS}?page_size=100`)).json.keys.map(({ path_id: id }) => id);
    const leafed = [];
    let token;
    do {
      const page = await get(worker, `${KEYS}?page_size=3${token ? `&page_token=${token}` : ''}`);
      assert.equal(page.status, 200, page.text);
      assert.ok(page.json.keys.length <= 3);
      leafed.push(...page.json.keys.map(({ path_id: id }) => id));
      token = page.json.next_page_token;
    } while (token);
    assert.deepEqual(leafed, all);
  });

  test('shows neither a key nor its hash', async () => {
    const { text } = await get(worker, `${KEYS}?page_size=100`);
    for (const key of made) for (const secret of [key, sha256(key)]) assert.ok(!text.includes(secret));
  });

  for (const query of ['page_size=x', 'page_size=-1', 'page_token=x', `page_token=${'0'.repeat(64)}`]) {
    test(`refuses ${query}`, async () => {
      const answer = await get(worker, `${KEYS}?${query}`);
      assert.deepEqual([answer.status, answer.json.error.code], [400, 'invalid_request']);
    });
  }
});

test('keys are the admin key\'s alone', async () => {
  const { json: { key } } = await make({ name: 'Everything', scopes: ['call', 'models', 'feedback', 'read', 'write', 'gateway'] });
  for (const [method, path, body] of [['GET', KEYS], ['POST', KEYS, { name: 'x', scopes: ['call'] }], ['GET', `${KEYS}/everything`], ['PATCH', `${KEYS}/everything`, {}], ['DELETE', `${KEYS}/everything`]]) {
    const answer = await ask(method, path, body, { key });
    assert.deepEqual([answer.status, answer.json.error.code], [403, 'missing_scope'], `${method} ${path}`);
    assert.equal((await ask(method, path, body, { key: null })).status, 401);
  }
});

test('a key that is not there is 404, and what is near is named', async () => {
  for (const method of ['GET', 'DELETE']) {
    const answer = await ask(method, `${KEYS}/mobile-ap`);
    assert.deepEqual([answer.status, answer.json.error.code], [404, 'no_such_resource']);
    assert.match(answer.json.error.message, /mobile-app/);
  }
});

test('no key is in the log', () => {
  for (const key of made) for (const secret of [key, sha256(key)]) assert.ok(!worker.log().includes(secret));
});
