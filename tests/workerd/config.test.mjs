// Law 4 in a real workerd: what is in KV may have been typed by hand, and KV has bad days.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { call, callTo, eventually, openCall } from './client.mjs';
import { startWorker, test, workerFor } from './harness.mjs';
import { UPSTREAM_KEY, gatewayTo, routerOf, startUpstream } from './upstream.mjs';

const LONG_TTL = { CONFIG_TTL_SECONDS: '3600' };

let upstream;

before(async () => { upstream = await startUpstream(); });
after(() => upstream?.close());

/** A valid document, whose variant `version` tells which one answered. */
const good = (version = 'good') => routerOf({ [version]: ['local/m1', 100] });

/** A document with one conditional route of these variants. */
const conditional = (variants, cel_expression = 'true', rest = {}) => ({
  routes: [{ route: { route_id: 'r', variants, ...rest }, condition: { cel_expression } }],
  ...good(),
});
const arm = (weight, variant = {}, rest = {}) => ({ variant: { variant_id: `v${weight}`, model_id: 'local/m1', ...variant }, weight, ...rest });

// Each with the path that the message must name, and a word of what would be right.
const invalid = {
  'weights that sum to 90': [conditional([arm(70), arm(20)]), /routes\[0\]\.route\.variants\b/, /100/],
  'a negative weight': [conditional([arm(110), arm(-10)]), /routes\[0\]\.route\.variants\[\d\]\.weight/, /0|positive/],
  'a weight with three places': [conditional([arm(33.333), arm(66.667)]), /routes\[0\]\.route\.variants\[0\]\.weight/, /two|2/],
  'weights as strings': [conditional([arm('50'), arm('50.0')]), /routes\[0\]\.route\.variants\[0\]\.weight/, /number/],
  'no weight': [conditional([arm(undefined)]), /routes\[0\]\.route\.variants\[0\]/, /weight/],
  'no variants': [conditional([]), /routes\[0\]\.route\.variants/, /variant/],
  'no list of variants': [conditional(undefined), /routes\[0\]\.route/, /variants/],
  'two variants of one id': [conditional([arm(50, { variant_id: 'same' }), arm(50, { variant_id: 'same' })]), /routes\[0\]\.route\.variants\[1\]/, /same/],
  'two routes of one id': [{ ...conditional([arm(100)]), routes: [...conditional([arm(100)]).routes, ...conditional([arm(100)]).routes] }, /routes\[1\]\.route/, /unique|twice|another|already|repeat/i],
  'a typo': [conditional([{ variant: { variant_id: 'v', model_id: 'local/m1' }, weigth: 100 }]), /routes\[0\]\.route\.variants\[0\]\.weigth/, /weight\b/],
  'a typo at the top': [{ defualt_route: good().default_route }, /defualt_route/, /default_route/],
  'a field in both spellings': [conditional([arm(100, { modelId: 'local/m2' })]), /routes\[0\]\.route\.variants\[0\]\.variant/, /modelId|model_id/],
  'CEL that does not parse': [conditional([arm(100)], 'tier =='), /routes\[0\]\.condition\.cel_expression/, /./],
  'empty CEL': [conditional([arm(100)], ''), /routes\[0\]\.condition/, /./],
  'CEL that is too deep': [conditional([arm(100)], `x == ${'['.repeat(200)}${']'.repeat(200)}`), /routes\[0\]\.condition\.cel_expression/, /deep|nest|simpl|long|large/i],
  'CEL that is too long': [conditional([arm(100)], `true${' || true'.repeat(5000)}`), /routes\[0\]\.condition\.cel_expression/, /long|bytes|large|size/i],
  'CEL that calls what does not exist': [conditional([arm(100)], 'is_vip(user_id)'), /routes\[0\]\.condition\.cel_expression/, /is_vip/],
  'CEL that compares the user with a string': [conditional([arm(100)], 'user == "u-1"'), /routes\[0\]\.condition\.cel_expression/, /user_id/],
  'no condition': [{ routes: [{ route: { route_id: 'r', variants: [arm(100)] } }], ...good() }, /routes\[0\]/, /condition/],
  'a model without a provider': [conditional([arm(100, { model_id: 'gpt-5' })]), /routes\[0\]\.route\.variants\[0\]\.variant\.model_id/, /provider\/model/],
  'a model that is a router': [conditional([arm(100, { model_id: 'turnout/other' })]), /routes\[0\]\.route\.variants\[0\]\.variant\.model_id/, /router/],
  'no model': [conditional([arm(100, { model_id: undefined })]), /routes\[0\]\.route\.variants\[0\]\.variant/, /model_id/],
  'an id that is none': [conditional([arm(100, { variant_id: 'a b' })]), /routes\[0\]\.route\.variants\[0\]\.variant\.variant_id/, /./],
  'another name inside': [{ name: 'routers/somebody-else', ...good() }, /name/, /somebody-else/],
  'neither routes nor a default': [{ displayName: 'x' }, /routes|default/, /./],
  'routes and a rule': [{ ...conditional([arm(100)]), rule: { cel_expression: '"local/m1"' } }, /rule/, /./],
  'routes that are no list': [{ routes: {}, ...good() }, /routes/, /list|array/],
  'a default route that is no object': [{ default_route: 'gpt-5' }, /default_route/, /object/],
  'not JSON': ['{"routes": [', /JSON/, /./],
  'JSON with something after it': [`${JSON.stringify(good())} x`, /JSON|after/, /./],
  'JSON that is a list': ['[]', /object/, /./],
  'JSON null': ['null', /object/, /./],
  'not UTF-8': [Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), /UTF-8/, /./],
  'empty': ['', /empty/, /./],
  'only whitespace': [' \n\t', /empty|JSON/, /./],
  '25 MB': [Buffer.from(`${JSON.stringify(good())}${' '.repeat(25 * 1024 * 1024 - 2000)}`), /1 MiB|1048576|1,048,576/, /./],
  'deep nesting': [`${'['.repeat(50_000)}${']'.repeat(50_000)}`, /./, /deep|nest|object|recursion/i],
};

describe('a document that does not validate', () => {
  let worker;
  before(async () => {
    worker = await startWorker({ kv: { gateway: gatewayTo(upstream) } });
    Object.values(invalid).forEach(([document], at) => worker.kv.put(`router:bad-${at}`, document));
    Object.keys(invalid).forEach((_, at) => worker.kv.put(`router:broken-${at}`, good()));
  });
  after(() => worker?.stop());

  Object.entries(invalid).forEach(([name, [, path, right]], at) => {
    test(`without an earlier one is 503 invalid_router: ${name}`, async () => {
      for (let again = 0; again < 2; again += 1) {
        const answer = await call(worker, callTo(`turnout/bad-${at}`));
        assert.equal(answer.status, 503, answer.text);
        assert.equal(answer.json.error.code, 'invalid_router');
        const { message } = answer.json.error;
        assert.match(message, new RegExp(`bad-${at}`));
        assert.match(message, path);
        assert.match(message, right);
        assert.ok(message.length < 3000, `${message.length} characters`);
      }
    });
  });

  // Three stages, each over all documents at once: the waits for the TTL are shared.
  const all = Object.entries(invalid).map(([name, [document, path]], at) => ({ name, document, path, model: `turnout/broken-${at}`, key: `router:broken-${at}`, good: `good:broken-${at}` }));
  const served = async ({ model, name }) => {
    const answer = await call(worker, callTo(model));
    assert.equal(answer.status, 200, `${name}: ${answer.text}`);
    assert.equal(answer.headers['x-turnout-variant'], 'good', name);
    return answer;
  };

  test('never replaces one that did, and is shown', async () => {
    await Promise.all(all.map(async (one) => {
      assert.equal((await served(one)).headers['x-turnout-note'], undefined, one.name);
      // The last good one is stored, not only remembered.
      await eventually(async () => worker.kv.get(one.good), (stored) => stored?.equals(Buffer.from(JSON.stringify(good()))));
    }));
    for (const one of all) worker.kv.put(one.key, one.document);
    await Promise.all(all.map(async (one) => {
      const answer = await eventually(() => served(one), ({ headers }) => headers['x-turnout-note'] !== undefined);
      const note = decodeURIComponent(answer.headers['x-turnout-note']);
      assert.match(note, one.path, one.name);
    }));
    assert.match(worker.log(), /router:broken-0/, 'the fault is not in the log');
  });

  test('nor after a restart', async () => {
    await worker.restart();
    await Promise.all(all.map(async (one) => {
      const answer = await served(one);
      assert.match(decodeURIComponent(answer.headers['x-turnout-note'] ?? ''), one.path, one.name);
      assert.ok(worker.kv.get(one.good).equals(Buffer.from(JSON.stringify(good()))), `${one.name}: the last good copy was overwritten`);
    }));
  });

  test('and a mended one serves again', async () => {
    for (const one of all.slice(0, 5)) worker.kv.put(one.key, good('mended'));
    await Promise.all(all.slice(0, 5).map(async ({ model }) => {
      const answer = await eventually(() => call(worker, callTo(model)), ({ headers }) => headers['x-turnout-variant'] === 'mended');
      assert.equal(answer.headers['x-turnout-note'], undefined);
    }));
  });

  test('a bad good copy as well is 503', async () => {
    worker.kv.put('router:doubly', '{');
    worker.kv.put('good:doubly', '[');
    const answer = await call(worker, callTo('turnout/doubly'));
    assert.equal(answer.status, 503);
    assert.equal(answer.json.error.code, 'invalid_router');
  });

  test('the message holds no credential and the log neither', () => {
    assert.ok(!worker.log().includes(UPSTREAM_KEY));
  });
});

describe('reading KV', () => {
  const routerReads = ({ kv }) => kv.calls.filter(({ op, key }) => op === 'get' && key.startsWith('router:'));
  const start = (test, vars, kv = {}) => workerFor(test, { vars, kv: { gateway: gatewayTo(upstream), 'router:one': good(), ...kv } });
  const ok = async (worker, model = 'turnout/one') => {
    const answer = await call(worker, callTo(model));
    assert.equal(answer.status, 200, answer.text);
    return answer;
  };

  test('once for each name while it is fresh', async (t) => {
    const worker = await start(t, LONG_TTL);
    for (let at = 0; at < 30; at += 1) await ok(worker);
    assert.equal(worker.kv.reads('router:one'), 1);
    assert.equal(worker.kv.reads('gateway'), 1);
    // The last good copies may be looked at once each; nothing else is read for a call.
    assert.ok(worker.kv.calls.filter(({ op }) => op === 'get').length <= 4, JSON.stringify(worker.kv.calls));
  });

  test('at most once a TTL after that, and unchanged bytes are not stored again', async (t) => {
    const worker = await start(t, { CONFIG_TTL_SECONDS: '1' });
    const began = Date.now();
    await eventually(() => ok(worker), () => worker.kv.reads('router:one') >= 3);
    const elapsed = (Date.now() - began) / 1000;
    assert.ok(worker.kv.reads('router:one') <= elapsed + 2, `${worker.kv.reads('router:one')} reads in ${elapsed} s`);
    const writes = worker.kv.calls.filter(({ op, key }) => op === 'put' && key === 'good:one');
    assert.ok(writes.length <= 1, `${writes.length} writes of the same bytes`);
  });

  test('a call never waits for a refresh of what it has', async (t) => {
    const worker = await start(t, { CONFIG_TTL_SECONDS: '1' });
    await ok(worker);
    worker.kv.put('router:one', good('new'));
    const held = worker.kv.hold();
    // Until a refresh is on its way, and then while it hangs.
    await eventually(() => ok(worker), () => worker.kv.reads('router:one') > 1);
    await held.seen;
    for (let at = 0; at < 10; at += 1) {
      assert.equal((await ok(worker)).headers['x-turnout-variant'], 'good');
    }
    held.release();
    await eventually(() => ok(worker), ({ headers }) => headers['x-turnout-variant'] === 'new');
  });

  test('a slow read delays its own router alone', async (t) => {
    const worker = await start(t, LONG_TTL, { 'router:slow': good() });
    await ok(worker);
    const held = worker.kv.hold(({ key }) => key === 'router:slow');
    const [first, second] = [ok(worker, 'turnout/slow'), ok(worker, 'turnout/slow')];
    await held.seen;
    await ok(worker);
    held.release();
    await Promise.all([first, second]);
  });

  test('a caller who leaves while KV is read takes nobody with it', async (t) => {
    const worker = await start(t, LONG_TTL, { 'router:slow': good() });
    await ok(worker);
    const held = worker.kv.hold(({ key }) => key === 'router:slow');
    const leaver = openCall(worker, callTo('turnout/slow'));
    await held.seen;
    const itsOwnRead = worker.kv.next(({ key }) => key === 'router:slow');
    const stayer = ok(worker, 'turnout/slow');
    await itsOwnRead;
    leaver.leave();
    held.release();
    await stayer;
    await ok(worker, 'turnout/slow');
  });

  test('KV that fails later: what is held serves on', async (t) => {
    const worker = await start(t, { CONFIG_TTL_SECONDS: '1' });
    await ok(worker);
    worker.kv.fail = true;
    const reads = worker.kv.calls.length;
    await eventually(() => ok(worker), () => worker.kv.calls.length >= reads + 4);
    worker.kv.fail = false;
    worker.kv.put('router:one', good('recovered'));
    await eventually(() => ok(worker), ({ headers }) => headers['x-turnout-variant'] === 'recovered');
  });

  const faults = { everything: true, 'the router': ({ key }) => key === 'router:one', 'the gateway': ({ key }) => key === 'gateway' };
  for (const [name, fail] of Object.entries(faults)) {
    test(`KV that fails from the start is 503 config_unavailable, not 404, and not remembered: ${name}`, async (t) => {
      const worker = await start(t, LONG_TTL);
      worker.kv.fail = fail;
      const answer = await call(worker, callTo('turnout/one'));
      assert.equal(answer.status, 503, answer.text);
      assert.equal(answer.json.error.code, 'config_unavailable');
      worker.kv.fail = false;
      await ok(worker);
    });
  }

  test('a key\'s record that cannot be read is 503, not 401', async (t) => {
    const worker = await start(t, LONG_TTL);
    worker.kv.fail = ({ key }) => key.startsWith('key:');
    const answer = await call(worker, callTo('turnout/one'), { key: 'some-key' });
    assert.equal(answer.status, 503, answer.text);
    assert.equal(answer.json.error.code, 'config_unavailable');
  });

  test('a listing that fails or hangs delays no call', async (t) => {
    const worker = await start(t, LONG_TTL);
    worker.kv.fail = ({ op }) => op === 'list';
    await ok(worker);
    assert.equal((await call(worker, callTo('turnout/nope'))).status, 404);
    worker.kv.fail = false;
    await worker.restart();
    const held = worker.kv.hold(({ op }) => op === 'list');
    await ok(worker);
    assert.equal((await call(worker, callTo('turnout/nope'))).status, 404);
    held.release();
  });

  test('a last good copy that cannot be written delays and fails no call', async (t) => {
    const worker = await start(t, LONG_TTL);
    worker.kv.fail = ({ op, key }) => op === 'put' || key.startsWith('good');
    await ok(worker);
    await ok(worker);
  });

  test('absence is remembered, and ends within the TTL', async (t) => {
    const worker = await start(t, { CONFIG_TTL_SECONDS: '2' });
    const missing = () => call(worker, callTo('turnout/later'));
    for (let at = 0; at < 10; at += 1) assert.equal((await missing()).status, 404);
    assert.ok(worker.kv.reads('router:later') <= 2, `${worker.kv.reads('router:later')} reads`);
    worker.kv.put('router:later', good());
    await eventually(missing, ({ status }) => status === 200);
  });

  test('a router deleted in KV is gone within the TTL', async (t) => {
    const worker = await start(t, { CONFIG_TTL_SECONDS: '1' });
    await ok(worker);
    worker.kv.delete('router:one');
    const answer = await eventually(() => call(worker, callTo('turnout/one')), ({ status }) => status === 404);
    assert.equal(answer.json.error.code, 'model_not_found');
  });

  test('many unknown names fill no memory and stop no router', async (t) => {
    const worker = await start(t, LONG_TTL);
    const names = Array.from({ length: 3000 }, (_, at) => `nope-${at}`);
    const work = async () => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        assert.equal((await call(worker, callTo(`turnout/${name}`))).status, 404);
      }
    };
    await Promise.all(Array.from({ length: 16 }, work));
    await ok(worker);
  });

  test('in a namespace of 5,000 routers a call reads its own alone', async (t) => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`router:many-${at}`, good()]));
    const worker = await start(t, LONG_TTL, many);
    const held = worker.kv.hold(({ op }) => op === 'list');
    await ok(worker, 'turnout/many-4321');
    assert.deepEqual(routerReads(worker), [{ op: 'get', key: 'router:many-4321' }]);
    held.release();
    const answer = await eventually(() => call(worker, callTo('turnout/many-4999x')), ({ text }) => text.includes('many-4999'));
    assert.equal(answer.status, 404);
    assert.deepEqual(new Set(routerReads(worker).map(({ key }) => key)), new Set(['router:many-4321', 'router:many-4999x']));
  });

  test('a router of 3,000 routes serves', async (t) => {
    const route = (at) => ({ route: { route_id: `r-${at}`, variants: [arm(100)] }, condition: { cel_expression: `n == ${at}` } });
    const document = { routes: Array.from({ length: 3000 }, (_, at) => route(at)), ...good() };
    const worker = await start(t, LONG_TTL, { 'router:long': document });
    const answer = await call(worker, callTo('turnout/long', { metadata: { n: 2999 } }));
    assert.equal(answer.headers['x-turnout-route'], 'r-2999', answer.text.slice(0, 300));
  });

  test('a revision in the entry\'s metadata is the revision', async (t) => {
    const worker = await start(t, LONG_TTL);
    worker.kv.put('router:kept', good(), { revision: 17, etag: 'x' });
    assert.equal((await ok(worker, 'turnout/kept')).headers['x-turnout-revision'], '17');
  });
});

describe('the gateway document', () => {
  const bad = {
    'not JSON': ['{', /JSON/],
    'a base URL that is plain http': [{ downstreams: [{ id: 'local', base_url: 'http://example.com/v1', api_key: 'x' }] }, /downstreams\[0\]\.base_url/],
    'no base URL': [{ downstreams: [{ id: 'local', api_key: 'x' }] }, /downstreams\[0\]\.base_url/],
    'two downstreams of one id': [{ downstreams: [1, 2].map(() => ({ id: 'local', base_url: 'https://example.com/v1', api_key: 'x' })) }, /downstreams\[1\]\.id/],
    'a typo': [{ downstreams: [{ id: 'local', bse_url: 'https://example.com' }] }, /downstreams\[0\]\.bse_url/],
    'a secret of ours': [{ downstreams: [{ id: 'local', base_url: 'https://example.com/v1', api_key: '${ADMIN_KEY}' }] }, /downstreams\[0\]\.api_key/],
    'empty': ['', /empty/],
    'not UTF-8': [Buffer.from([0xff]), /UTF-8/],
  };
  for (const [name, [document, path]] of Object.entries(bad)) {
    test(`a bad one never replaces a good one, and is told of where there is none: ${name}`, async (t) => {
      const worker = await workerFor(t, { kv: { gateway: document, 'router:one': good() } });
      const refused = await call(worker, callTo('turnout/one'));
      assert.equal(refused.status, 503, refused.text);
      assert.equal(refused.json.error.code, 'invalid_gateway');
      assert.match(refused.json.error.message, /gateway/);
      assert.match(refused.json.error.message, path);

      worker.kv.put('gateway', gatewayTo(upstream));
      const attempt = () => call(worker, callTo('turnout/one'));
      await eventually(attempt, ({ status }) => status === 200);
      await eventually(async () => worker.kv.get('good-gateway'), (stored) => stored !== undefined);
      worker.kv.put('gateway', document);
      const noted = await eventually(attempt, ({ headers }) => headers['x-turnout-note'] !== undefined);
      assert.equal(noted.status, 200);
      assert.match(decodeURIComponent(noted.headers['x-turnout-note']), path);
      await worker.restart();
      const restarted = await attempt();
      assert.equal(restarted.status, 200, restarted.text);
      assert.match(decodeURIComponent(restarted.headers['x-turnout-note']), path);
    });
  }

  test('a key that changes is used within the TTL', async (t) => {
    const worker = await workerFor(t, { kv: { gateway: gatewayTo(upstream), 'router:one': good() } });
    await call(worker, callTo('turnout/one'));
    const changed = gatewayTo(upstream);
    changed.downstreams[0].api_key = 'sk-another';
    worker.kv.put('gateway', changed);
    upstream.reset();
    await eventually(async () => {
      await call(worker, callTo('turnout/one'));
      return upstream.take();
    }, ({ headers }) => headers.authorization === 'Bearer sk-another');
  });

  test('a key may name a secret of the worker', async (t) => {
    const gateway = gatewayTo(upstream);
    gateway.downstreams[0].api_key = '${MY_OWN_API_KEY}';
    const worker = await workerFor(t, { vars: { MY_OWN_API_KEY: 'sk-from-a-secret' }, kv: { gateway, 'router:one': good() } });
    upstream.reset();
    assert.equal((await call(worker, callTo('turnout/one'))).status, 200);
    assert.equal((await upstream.take()).headers.authorization, 'Bearer sk-from-a-secret');
  });

  test('a downstream in place of a built-in inherits no secret', async (t) => {
    const gateway = gatewayTo(upstream, { openai: [] });
    delete gateway.downstreams[0].api_key;
    const worker = await workerFor(t, { vars: { OPENAI_API_KEY: 'sk-of-openai-alone' }, kv: { gateway, 'router:one': routerOf({ v: ['openai/gpt-5', 100] }) } });
    upstream.reset();
    const answer = await call(worker, callTo('turnout/one'));
    assert.ok(answer.status === 200 || answer.json.error.code === 'upstream_credentials', answer.text);
    while (upstream.untaken > 0) assert.ok(!(await upstream.take()).rawHeaders.join().includes('sk-of-openai-alone'));
  });
});
