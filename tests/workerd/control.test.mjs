// The control plane in the real worker: a Durable Object with SQLite on disk, KV played by this process.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe } from 'node:test';
import { call, callTo, eventually } from './client.mjs';
import { test, workerFor } from './harness.mjs';

const KEYS = {
  reader: { id: 'reader', name: 'a reader', scopes: ['read'] },
  writer: { id: 'writer', name: 'a writer', scopes: ['read', 'write'] },
  caller: { id: 'caller', scopes: ['call'] },
  limited: { id: 'limited', scopes: ['read', 'write'], routers: ['other'] },
};
const records = Object.fromEntries(
  Object.entries(KEYS).map(([key, record]) => [`key:${createHash('sha256').update(key).digest('hex')}`, record]),
);

/** Two demo models, `weight` of a hundred for swift. */
const document = (weight, rest = {}) => ({
  ...rest,
  default_route: {
    route_id: 'default',
    variants: [
      { variant: { variant_id: 'swift', model_id: 'demo/swift' }, weight },
      { variant: { variant_id: 'sage', model_id: 'demo/sage' }, weight: 100 - weight },
    ],
  },
});

const workerWith = (t, options = {}) => workerFor(t, { vars: { DEMO: 'on' }, ...options, kv: { ...records, ...options.kv } });

/** A request to the control API; the path is what comes after `/router/v1`. */
const ask = (worker, line, body, options = {}) => {
  const [method, path] = line.split(' ');
  return call(worker, body, { method, path: `/router/v1${path}`, ...options });
};

/** The same, which must succeed; its body. */
async function done(worker, line, body, options) {
  const answer = await ask(worker, line, body, options);
  assert.equal(answer.status, 200, `${line}: ${answer.text}`);
  return answer.json;
}

async function refused(worker, line, body, options, status, code) {
  const answer = await ask(worker, line, body, options);
  assert.equal(answer.status, status, `${line}: ${answer.text}`);
  assert.equal(answer.json.error.code, code, answer.text);
  return answer;
}

describe('routers', () => {
  test('are made, shown, changed, listed, deleted and brought back', async (t) => {
    const worker = await workerWith(t);
    const made = await ask(worker, 'POST /routers', document(100, { name: 'routers/one', description: 'é' }));
    assert.equal(made.status, 200, made.text);
    assert.equal(made.json.done, true);
    const router = made.json.response;
    assert.equal(router.name, 'routers/one');
    assert.equal(router.description, 'é');
    assert.equal(router.revision, 1);
    assert.equal(router.kv, 'written');
    assert.equal(made.headers.etag, `"${router.etag}"`);
    assert.equal(made.headers['x-turnout-revision'], '1');
    assert.deepEqual(JSON.parse(worker.kv.get('router:one')), { name: 'routers/one', description: 'é', ...document(100) });
    assert.deepEqual(worker.kv.get('good:one'), worker.kv.get('router:one'));
    assert.equal(worker.kv.metadata('router:one').revision, 1);

    await refused(worker, 'POST /routers', document(100, { name: 'one' }), {}, 409, 'already_exists');
    const changed = await done(worker, 'PATCH /routers/one', document(0));
    assert.equal(changed.revision, 2);
    const shown = await done(worker, 'GET /routers/one');
    assert.equal(shown.default_route.variants[0].weight, 0);
    assert.equal(shown.updated_by.id, 'admin');
    const { routers } = await done(worker, 'GET /routers');
    assert.deepEqual(routers.map(({ name, revision }) => [name, revision]), [['routers/one', 2]]);

    assert.deepEqual(await done(worker, 'DELETE /routers/one'), {});
    assert.equal(worker.kv.get('router:one'), undefined);
    assert.equal(worker.kv.get('good:one'), undefined);
    await refused(worker, 'GET /routers/one', undefined, {}, 404, 'no_such_resource');
    const history = await done(worker, 'GET /routers/one/history');
    assert.deepEqual(history.revisions.map(({ revision, deleted }) => [revision, deleted]), [[3, true], [2, false], [1, false]]);
    assert.equal((await done(worker, 'GET /routers/one/history/1')).default_route.variants[0].weight, 100);
    const back = await done(worker, 'POST /routers/one:rollback', { revision: 1 });
    assert.equal(back.revision, 4);
    assert.equal(back.default_route.variants[0].weight, 100);
  });

  test('a change is seen by calls, with its revision', async (t) => {
    const worker = await workerWith(t);
    await done(worker, 'POST /routers', document(100, { name: 'one' }));
    const asked = () => call(worker, callTo('turnout/one', { user: 'u' }));
    const first = await asked();
    assert.equal(first.headers['x-turnout-variant'], 'swift', first.text);
    assert.equal(first.headers['x-turnout-revision'], '1');
    await done(worker, 'PATCH /routers/one', document(0));
    const later = await eventually(asked, ({ headers }) => headers['x-turnout-revision'] === '2');
    assert.equal(later.headers['x-turnout-variant'], 'sage');
    const { serving } = await done(worker, 'GET /routers/one');
    assert.equal(serving.revision, '2');
    assert.ok(serving.age_ms < 60_000 && serving.may_be_stale_ms >= 60_000, JSON.stringify(serving));
  });

  test('of two writers with the same etag one is refused', async (t) => {
    const worker = await workerWith(t);
    const { response } = await done(worker, 'POST /routers', document(100, { name: 'one' }));
    const held = worker.kv.hold(({ op, key }) => op === 'get' && key === 'router:one');
    const headers = { 'if-match': `"${response.etag}"` };
    const both = [10, 20].map((weight) => ask(worker, 'PATCH /routers/one', document(weight), { headers }));
    await held.seen;
    await eventually(() => worker.kv.reads('router:one'), (reads) => reads >= 3);
    held.release();
    const statuses = (await Promise.all(both)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, 412]);
    assert.equal((await done(worker, 'GET /routers/one')).revision, 2);
  });

  test('of many writers without an etag none is lost', async (t) => {
    const worker = await workerWith(t);
    await done(worker, 'POST /routers', document(100, { name: 'one' }));
    await Promise.all([...Array(10).keys()].map((weight) => done(worker, 'PATCH /routers/one', document(weight))));
    const { revisions } = await done(worker, 'GET /routers/one/history?page_size=50');
    assert.deepEqual(revisions.map(({ revision }) => revision), [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    const head = await eventually(() => done(worker, 'GET /routers/one'), ({ kv }) => kv === 'written', { timeout: 20_000 });
    assert.deepEqual(JSON.parse(worker.kv.get('router:one')).default_route, head.default_route);
    assert.equal(worker.kv.metadata('router:one').revision, 11);
  });

  test('bodies that are too long, of another type or no documents are refused', async (t) => {
    const worker = await workerWith(t);
    await refused(worker, 'POST /routers', `{"name":"one","description":"${'x'.repeat(1 << 20)}"}`, {}, 413, 'body_too_large');
    await refused(worker, 'POST /routers', 'name=one', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 400, 'invalid_request');
    const { json } = await refused(worker, 'POST /routers', { name: 'one', default_route: { variants: [{ variant: {}, weight: 30 }] } }, {}, 400, 'invalid_document');
    assert.ok(json.error.details.length >= 2, JSON.stringify(json));
    assert.deepEqual(worker.kv.list('router:'), []);
  });
});

describe('hand edits', () => {
  test('are adopted, and not written over', async (t) => {
    const worker = await workerWith(t, { kv: { 'router:old': document(30), 'router:bad': '{' } });
    const { routers } = await done(worker, 'GET /routers');
    assert.deepEqual(routers.map(({ name, revision, fault }) => [name, revision, Boolean(fault)]), [
      ['routers/bad', null, true],
      ['routers/old', 1, false],
    ]);
    worker.kv.put('router:old', document(40));
    const shown = await done(worker, 'GET /routers/old');
    assert.equal(shown.revision, 2);
    assert.equal(shown.updated_by.id, 'kv');
    const { etag } = shown;
    worker.kv.put('router:old', document(50));
    await refused(worker, 'PATCH /routers/old', { ...document(60), etag }, {}, 412, 'etag_mismatch');
    const { revisions } = await done(worker, 'GET /routers/old/history');
    assert.deepEqual(revisions.map(({ summary, origin }) => [summary, origin]), [
      ['edited in KV', 'kv'],
      ['edited in KV', 'kv'],
      ['found in KV', 'kv'],
    ]);
    assert.equal(JSON.parse(worker.kv.get('router:old')).default_route.variants[0].weight, 50);
  });
});

describe('when KV fails', () => {
  test('a change stands, is told to be pending, and the alarm brings it there', async (t) => {
    const worker = await workerWith(t);
    await done(worker, 'POST /routers', document(100, { name: 'one' }));
    worker.kv.fail = ({ op, key }) => op === 'put' && key === 'router:one';
    const changed = await done(worker, 'PATCH /routers/one', document(10));
    assert.equal(changed.revision, 2);
    assert.equal(changed.kv, 'pending');
    assert.equal(worker.kv.metadata('router:one').revision, 1);
    worker.kv.fail = false;
    await eventually(() => worker.kv.metadata('good:one')?.revision, (revision) => revision === 2, { timeout: 15_000 });
    assert.equal(worker.kv.metadata('router:one').revision, 2);
    assert.equal((await done(worker, 'GET /routers/one')).kv, 'written');
  });

  test('what was pending survives a restart, and history too', async (t) => {
    const worker = await workerWith(t);
    await done(worker, 'POST /routers', document(100, { name: 'one' }));
    worker.kv.fail = ({ op }) => op === 'put';
    await done(worker, 'PATCH /routers/one', document(10));
    await worker.restart();
    worker.kv.fail = false;
    const { revisions } = await done(worker, 'GET /routers/one/history');
    assert.deepEqual(revisions.map(({ revision }) => revision), [2, 1]);
    await eventually(() => worker.kv.metadata('good:one')?.revision, (revision) => revision === 2, { timeout: 15_000 });
    assert.equal(worker.kv.metadata('router:one').revision, 2);
  });

  test('a death between the commit and the write is made up for', async (t) => {
    const worker = await workerWith(t);
    await done(worker, 'POST /routers', document(100, { name: 'one' }));
    const held = worker.kv.hold(({ op, key }) => op === 'put' && key === 'router:one');
    const open = ask(worker, 'PATCH /routers/one', document(10)).catch(() => {});
    await held.seen;
    await worker.restart();
    await open;
    // What was under way is lost.
    worker.kv.fail = ({ op }) => op === 'put';
    held.release();
    await new Promise((settled) => setTimeout(settled, 100));
    worker.kv.fail = false;
    const shown = await done(worker, 'GET /routers/one');
    assert.equal(shown.revision, 2, 'what was committed is there');
    await eventually(() => worker.kv.metadata('good:one')?.revision, (revision) => revision === 2, { timeout: 20_000 });
    assert.equal(worker.kv.metadata('router:one').revision, 2);
  });

  test('what control has never seen is a 503, and not a 404', async (t) => {
    const worker = await workerWith(t);
    worker.kv.fail = ({ key }) => key === 'router:one';
    const answer = await refused(worker, 'GET /routers/one', undefined, {}, 503, 'control_unavailable');
    assert.equal(answer.headers['retry-after'], '1');
  });
});

describe('who may', () => {
  test('scopes and router limits hold', async (t) => {
    const worker = await workerWith(t, { kv: { 'router:one': document(50), 'router:other': document(50) } });
    const as = (key) => ({ key });
    for (const [line, body, key, status, code] of [
      ['GET /routers/one', undefined, null, 401, 'invalid_api_key'],
      ['GET /routers/one', undefined, 'unknown', 401, 'invalid_api_key'],
      ['GET /routers/one', undefined, 'caller', 403, 'missing_scope'],
      ['PATCH /routers/one', document(10), 'reader', 403, 'missing_scope'],
      ['DELETE /routers/one', undefined, 'reader', 403, 'missing_scope'],
      ['POST /routers', document(10, { name: 'new' }), 'reader', 403, 'missing_scope'],
      ['GET /keys', undefined, 'writer', 403, 'missing_scope'],
      ['GET /routers/one', undefined, 'limited', 404, 'no_such_resource'],
      ['PATCH /routers/one', document(10), 'limited', 404, 'no_such_resource'],
      ['POST /routers', document(10, { name: 'new' }), 'limited', 403, 'missing_scope'],
    ]) await refused(worker, line, body, as(key), status, code);
    assert.equal((await done(worker, 'GET /routers/one', undefined, as('reader'))).revision, 1);
    const { routers } = await done(worker, 'GET /routers', undefined, as('limited'));
    assert.deepEqual(routers.map(({ name }) => name), ['routers/other']);
    const changed = await done(worker, 'PATCH /routers/one', document(10), as('writer'));
    assert.deepEqual(changed.updated_by, { id: 'writer', name: 'a writer' });
  });
});

describe('without the Durable Object', () => {
  test('calls go on, and the control API says what to add', async (t) => {
    const worker = await workerWith(t, { control: false, kv: { 'router:one': document(50) } });
    assert.equal((await call(worker, callTo('turnout/one'))).status, 200);
    const { json } = await refused(worker, 'GET /routers/one', undefined, {}, 503, 'control_unavailable');
    assert.match(json.error.message, /new_sqlite_classes = \["Control"\]/);
  });
});
