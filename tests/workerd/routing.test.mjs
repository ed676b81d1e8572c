// Which router, route and variant a call gets, and that it stays so: law 3 in a real workerd.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import { call, callTo, eventually, sdk } from './client.mjs';
import { CF_HEADER, ROOT, startWorker, test } from './harness.mjs';
import { gatewayTo, routerOf, startUpstream } from './upstream.mjs';

const fixture = (name) => readFileSync(`${ROOT}/tests/fixtures/${name}`);
const vectors = JSON.parse(fixture('assignment.json'));
const SPLIT = { a: ['local/a', 50], b: ['local/b', 50] };
const users = Array.from({ length: 120 }, (_, at) => `user-${at}`);

let upstream;
let worker;

before(async () => {
  upstream = await startUpstream();
  worker = await startWorker({
    kv: {
      gateway: gatewayTo(upstream, { openai: ['gpt-5', 'gpt-5.2'], anthropic: ['claude-opus-4-6'], local: ['m1', 'Listed/One'] }),
      'router:ab-test-router': fixture('routers/ab-test-router.json'),
      'router:user-aware': fixture('routers/user-aware.json'),
      'router:by-rule': fixture('routers/by-rule.json'),
      'router:split': routerOf(SPLIT),
    },
  });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

/** The variant of one call, which must succeed. */
async function variantOf(model, body = {}, options = {}) {
  const answer = await call(worker, callTo(model, body), options);
  assert.equal(answer.status, 200, answer.text);
  return answer.headers['x-turnout-variant'];
}

/** `{user: variant}` of many users, a few calls at once. */
async function variantsOf(model, everyone = users) {
  const result = {};
  const left = [...everyone];
  const work = async () => {
    for (let user = left.pop(); user !== undefined; user = left.pop()) result[user] = await variantOf(model, { user });
  };
  await Promise.all(Array.from({ length: 12 }, work));
  return result;
}

describe('the documents that must work as they stand', () => {
  test('ab-test-router: 80/20 by user', async () => {
    const { variant_of: expected } = vectors.assign.find(({ salt }) => salt === 'ab-test-router/ab-test-route');
    const models = { 'variant-a': 'openai/gpt-5', 'variant-b': 'anthropic/claude-opus-4-6' };
    for (const user of ['user-123', 'user_a421', 'user_b918']) {
      const answer = await call(worker, callTo('turnout/ab-test-router', { user }));
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-turnout-router'], 'ab-test-router');
      assert.equal(answer.headers['x-turnout-route'], 'ab-test-route');
      assert.equal(answer.headers['x-turnout-variant'], expected[user]);
      assert.equal(answer.headers['x-turnout-served'], models[expected[user]]);
      const digest = createHash('sha256').update(fixture('routers/ab-test-router.json')).digest('hex');
      assert.equal(answer.headers['x-turnout-revision'], `h-${digest.slice(0, 8)}`);
    }
  });

  test('user-aware: conditions, camel case, ids derived from content', async () => {
    const routeId = (cel) => `r-${createHash('sha256').update(cel).digest('hex').slice(0, 8)}`;
    const cases = [
      [{ language: 'es', plan: 'free' }, routeId('language == "es"'), 'openai/gpt-5.2'],
      [{ plan: 'free' }, routeId('plan == "free"'), 'anthropic/claude-haiku-4-5'],
      [{ language: 'de', plan: 'pro' }, 'default', 'anthropic/claude-sonnet-4-6'],
      [undefined, 'default', 'anthropic/claude-sonnet-4-6'],
    ];
    for (const [metadata, route, model] of cases) {
      const answer = await call(worker, callTo('inworld/user-aware', { user: 'u', metadata }));
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-turnout-route'], route);
      assert.equal(answer.headers['x-turnout-variant'], model);
      assert.equal(answer.headers['x-turnout-served'], model);
      assert.equal((await upstreamModel()), model.split('/')[1]);
    }
  });

  test('a rule: the value is the model and the variant', async () => {
    for (const user of ['user-123', 'user_a421', 'user_b918', 'žluťoučký-kůň']) {
      const model = vectors.user_hash[user] % 2 === 0 ? 'openai/gpt-5.4' : 'anthropic/claude-sonnet-4-6';
      const answer = await call(worker, callTo('turnout/by-rule', { user }));
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-turnout-route'], 'rule');
      assert.equal(answer.headers['x-turnout-variant'], model);
      assert.equal(answer.headers['x-turnout-served'], model);
    }
  });

  test('a rule that lacks a name takes the default, else 404 no_route_matched saying what is missing', async () => {
    const answer = await call(worker, callTo('turnout/by-rule'));
    assert.equal(answer.status, 404);
    assert.equal(answer.json.error.code, 'no_route_matched');
    assert.match(answer.json.error.message, /No route matched\. Configure a default route or adjust conditions\./);
    assert.match(answer.json.error.message + answer.headers['x-turnout-note'], /user_id/);
    assert.equal((await worker.record(answer)).error_kind, 'no_route_matched');
  });

  /** What the upstream was last asked for. */
  async function upstreamModel() {
    let last;
    do last = await upstream.take(); while (upstream.untaken > 0);
    return last.json.model;
  }
});

describe('what a model names', () => {
  const routers = ['turnout/split', 'inworld/split', 'routers/split', 'split'];
  for (const name of routers) {
    test(`${name} is the router`, async () => {
      const answer = await call(worker, callTo(name, { user: 'u' }));
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-turnout-router'], 'split');
    });
  }

  const models = { 'local/anything': 'anything', 'local/a/b:c@d': 'a/b:c@d', m1: 'm1', 'Listed/One': 'Listed/One' };
  for (const [name, sent] of Object.entries(models)) {
    test(`${name} is a model of a downstream`, async () => {
      upstream.reset();
      const answer = await call(worker, callTo(name));
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-turnout-router'], undefined);
      assert.equal((await upstream.take()).json.model, sent);
    });
  }

  for (const name of ['turnout/ab-tset-router', 'ab-tset-router', 'routers/ab-test-routr']) {
    test(`${name} is 404 model_not_found, with the nearest names`, async () => {
      // The index of names is loaded in the background: the first answer need not have it.
      const answer = await eventually(() => call(worker, callTo(name)), ({ text }) => text.includes('ab-test-router'));
      assert.equal(answer.status, 404);
      assert.equal(answer.json.error.code, 'model_not_found');
      assert.equal(answer.json.error.param, 'model');
    });
  }

  for (const name of ['turnout/', 'turnout/NO', 'turnout/../gateway', 'turnout/x/y', 'nobody-knows/x', 'turnout/é', `turnout/${'x'.repeat(200)}`, ' split']) {
    test(`${JSON.stringify(name.slice(0, 40))} is 404 model_not_found`, async () => {
      const answer = await call(worker, callTo(name));
      assert.equal(answer.status, 404, answer.text);
      assert.equal(answer.json.error.code, 'model_not_found');
      assert.ok(answer.text.length < 6000 + name.length);
    });
  }

  test('a built-in provider without its secret is an error that names the secret', async () => {
    const answer = await call(worker, callTo('groq/llama'));
    assert.equal(answer.status, 502);
    assert.equal(answer.json.error.code, 'upstream_credentials');
    assert.match(answer.json.error.message, /GROQ_API_KEY/);
  });
});

describe('assignment', () => {
  // Weights of a document sum to 100, so the vectors that do not are for native tests alone.
  const usable = vectors.assign.filter(({ weights }) => Math.abs(Object.values(weights).reduce((sum, one) => sum + one, 0) - 100) < 1e-9);

  test('the golden vectors come out of the worker', async () => {
    assert.ok(usable.length >= 10, `${usable.length} vectors are usable`);
    usable.forEach(({ salt, weights }, at) => {
      const variants = Object.entries(weights).map(([id, weight]) => [id, ['local/m1', weight]]);
      worker.kv.put(`router:vector-${at}`, routerOf(Object.fromEntries(variants), { default_route: { salt } }));
    });
    const check = async ({ variant_of: expected }, at) => {
      for (const [user, variant] of Object.entries(expected)) {
        if (user === '') continue; // an empty user is none
        assert.equal(await variantOf(`turnout/vector-${at}`, { user }), variant, `vector ${at}, user ${JSON.stringify(user)}`);
      }
    };
    await Promise.all(usable.map(check));
  });

  test('a route without a salt has "<router>/<route_id>"', async () => {
    worker.kv.put('router:same-salt', routerOf(SPLIT, { default_route: { salt: 'split/default' } }));
    const everyone = users.slice(0, 40);
    assert.deepEqual(await variantsOf('turnout/same-salt', everyone), await variantsOf('turnout/split', everyone));
  });

  test('the same user gets the same variant after a restart', async () => {
    const first = await variantsOf('turnout/split');
    assert.deepEqual(new Set(Object.values(first)), new Set(['a', 'b']));
    await worker.restart();
    assert.deepEqual(await variantsOf('turnout/split'), first);
  });

  test('a weight changed in KV is seen within the TTL, moves only whom it must, and back returns everyone', async () => {
    const documentOf = (a) => routerOf({ a: ['local/a', a], b: ['local/b', 100 - a] });
    const revisionOf = async () => (await call(worker, callTo('turnout/moving', { user: 'probe' }))).headers['x-turnout-revision'];
    const put = async (document) => {
      const before = await revisionOf();
      worker.kv.put('router:moving', document);
      await eventually(revisionOf, (revision) => revision !== before);
    };
    worker.kv.put('router:moving', documentOf(80));
    const first = await variantsOf('turnout/moving');
    await put(documentOf(40));
    const second = await variantsOf('turnout/moving');
    const moved = users.filter((user) => first[user] !== second[user]);
    assert.ok(moved.length > 20, `${moved.length} moved`);
    assert.ok(moved.every((user) => first[user] === 'a'), 'a user of the growing variant moved');
    await put(documentOf(80));
    assert.deepEqual(await variantsOf('turnout/moving'), first);
    // Nor does the order of variants move anybody, or a third without weight.
    const { default_route: route } = documentOf(80);
    await put({ default_route: { ...route, variants: [{ variant: { variant_id: 'c', model_id: 'local/c' }, weight: 0 }, ...route.variants.reverse()] } });
    assert.deepEqual(await variantsOf('turnout/moving'), first);
  });

  test('an upstream that fails changes no assignment', async () => {
    const before = await variantOf('turnout/split', { user: 'steady' });
    upstream.next({ status: 500, body: '{}' });
    const failed = await call(worker, callTo('turnout/split', { user: 'steady' }));
    assert.equal(failed.status, 500);
    assert.equal(failed.headers['x-turnout-variant'], before);
    assert.equal(await variantOf('turnout/split', { user: 'steady' }), before);
  });

  test('calls without a unit spread by weight', async () => {
    const counts = { a: 0, b: 0 };
    for (let at = 0; at < 60; at += 1) counts[await variantOf('turnout/split')] += 1;
    // Fewer than 10 of 60 at 50/50 has a chance of 10⁻⁸.
    assert.ok(Math.min(counts.a, counts.b) >= 10, JSON.stringify(counts));
  });
});

describe('the unit', () => {
  const user = { 'x-turnout-user': 'from-header' };
  const session = { 'x-session-id': 'from-session' };
  const cases = {
    user: [{ user: 'u' }, { ...user, ...session }, 'user', 'u'],
    safety_identifier: [{ safety_identifier: 's' }, { ...user, ...session }, 'user', 's'],
    'user before safety_identifier': [{ user: 'u', safety_identifier: 's' }, {}, 'user', 'u'],
    'an empty user is absent': [{ user: '' }, user, 'user', 'from-header'],
    'a null user is absent': [{ user: null }, user, 'user', 'from-header'],
    'x-turnout-user': [{}, { ...user, ...session }, 'user', 'from-header'],
    'x-session-id': [{}, session, 'session', 'from-session'],
    'an empty header is absent': [{}, { 'x-turnout-user': '', 'x-session-id': '' }, 'call', undefined],
    'prompt_cache_key is none': [{ prompt_cache_key: 'p' }, {}, 'call', undefined],
    'nothing': [{}, {}, 'call', undefined],
    'spaces and case count': [{ user: ' U ' }, {}, 'user', ' U '],
  };
  for (const [name, [body, headers, kind, id]] of Object.entries(cases)) {
    test(name, async () => {
      const answer = await call(worker, callTo('turnout/split', body), { headers });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-turnout-unit'], kind);
      if (id !== undefined) assert.equal(answer.headers['x-turnout-variant'], await variantOf('turnout/split', { user: id }));
    });
  }

  for (const field of ['user', 'safety_identifier']) {
    for (const value of [5, true, {}, ['u']]) {
      test(`${field} of another type is 400: ${JSON.stringify(value)}`, async () => {
        const answer = await call(worker, callTo('turnout/split', { [field]: value }));
        assert.equal(answer.status, 400, answer.text);
        assert.equal(answer.json.error.param, field);
      });
    }
  }

  test('sticky_by comes first, and falls back', async () => {
    worker.kv.put('router:sticky', routerOf(SPLIT, { sticky_by: 'tenant', default_route: { salt: 'split/default' } }));
    const ofTenant = await variantOf('turnout/split', { user: 'tenant-7' });
    for (const one of users.slice(0, 12)) {
      assert.equal(await variantOf('turnout/sticky', { user: one, metadata: { tenant: 'tenant-7' } }), ofTenant);
    }
    assert.equal(await variantOf('turnout/sticky', { user: 'user-3' }), await variantOf('turnout/split', { user: 'user-3' }));
    const odd = await call(worker, callTo('turnout/sticky', { user: 'user-3', metadata: { tenant: 7 } }));
    assert.equal(odd.headers['x-turnout-variant'], await variantOf('turnout/split', { user: 'user-3' }));
    assert.match(odd.headers['x-turnout-note'], /sticky_by/);
  });
});

describe('conditions', () => {
  const conditions = {
    'metadata as a bare name': ['tier == "gold"', { metadata: { tier: 'gold' } }],
    'metadata under extra_body': ['tier == "gold"', { extra_body: { metadata: { tier: 'gold' } } }],
    'extra_body.metadata wins': ['tier == "gold" && kept == 1', { metadata: { tier: 'iron', kept: 1 }, extra_body: { metadata: { tier: 'gold' } } }],
    'metadata as a map': ['metadata["a b"] == 1.5', { metadata: { 'a b': 1.5 } }],
    'user.tier': ['user.tier == "gold" && user.id == "u"', { user: 'u', metadata: { tier: 'gold' } }],
    'user_id': ['user_id.startsWith("vip-")', { user: 'vip-1' }],
    'a name of ours is not shadowed': ['user_id == "u"', { user: 'u', metadata: { user_id: 'x' } }],
    'whole numbers are ints': ['n % 2 == 0', { metadata: { n: 4 } }],
    'lists and maps': ['"a" in flags && deep.er[1] == "x"', { metadata: { flags: ['a'], deep: { er: [0, 'x'] } } }],
    'messages': ['messages.last().content.matches("(?i)refund")', { messages: [{ role: 'user', content: 'Hi' }, { role: 'user', content: [{ type: 'text', text: 'My REFUND' }] }] }],
    'request': ['request.stream == false && request.has_tools && !request.has_images && request.max_tokens == 7 && request.path == "/v1/chat/completions" && request.dialect == "openai"', { tools: [{ type: 'function', function: { name: 'f' } }], max_tokens: 7 }],
    'headers': ['headers["x-beta"] == "yes" && !("authorization" in headers)', {}],
    'cf': ['cf.country == "CZ" && cf.asn == 1234', {}],
    'now': ['now > 1700000000', {}],
    'user_hash': [`user_hash(user_id) == ${vectors.user_hash['user-123']}`, { user: 'user-123' }],
    'bucket': ['bucket("salt", user_id) >= 0.0 && bucket("salt", user_id) < 100.0', { user: 'user-123' }],
    'a missing name is absorbed': ['nope == 1 || true', {}],
    'has': ['!has(metadata.nope)', {}],
  };
  let at = 0;
  for (const [name, [cel_expression, body]] of Object.entries(conditions)) {
    const router = `condition-${at += 1}`;
    test(name, async () => {
      worker.kv.put(`router:${router}`, {
        routes: [{ route: { route_id: 'held', variants: [{ variant: { variant_id: 'v', model_id: 'local/m1' }, weight: 100 }] }, condition: { cel_expression } }],
        ...routerOf({ v: ['local/m1', 100] }),
      });
      const headers = { 'x-beta': 'yes', [CF_HEADER]: JSON.stringify({ country: 'CZ', asn: 1234 }) };
      const answer = await call(worker, callTo(`turnout/${router}`, body), { headers });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-turnout-route'], 'held', answer.headers['x-turnout-note']);
    });
  }

  test('the first that holds wins; one that lacks a name does not hold; one that errs does not hold and leaves a note', async () => {
    const route = (route_id, cel_expression) => ({ route: { route_id, variants: [{ variant: { variant_id: 'v', model_id: 'local/m1' }, weight: 100 }] }, condition: { cel_expression } });
    worker.kv.put('router:ordered', {
      routes: [route('missing', 'nope == "x"'), route('errs', 'int(tier) > 3'), route('one', 'n > 0'), route('two', 'n > 0')],
      ...routerOf({ v: ['local/m1', 100] }),
    });
    const held = await call(worker, callTo('turnout/ordered', { metadata: { n: 1, tier: 'secret-tier' } }));
    assert.equal(held.headers['x-turnout-route'], 'one');
    assert.match(held.headers['x-turnout-note'], /errs/);
    assert.doesNotMatch(held.headers['x-turnout-note'], /secret-tier/);
    const none = await call(worker, callTo('turnout/ordered'));
    assert.equal(none.headers['x-turnout-route'], 'default');
    assert.equal(none.headers['x-turnout-note'], undefined);
  });

  test('no route and no default is 404 no_route_matched, recorded', async () => {
    worker.kv.put('router:no-default', {
      routes: [{ route: { route_id: 'r', variants: [{ variant: { variant_id: 'v', model_id: 'local/m1' }, weight: 100 }] }, condition: { cel_expression: 'tier == "gold"' } }],
    });
    const answer = await call(worker, callTo('turnout/no-default', { user: 'u' }));
    assert.equal(answer.status, 404);
    assert.equal(answer.json.error.code, 'no_route_matched');
    assert.match(answer.json.error.message, /No route matched\. Configure a default route or adjust conditions\./);
    assert.equal(answer.headers['x-turnout-router'], 'no-default');
    const record = await worker.record(answer);
    assert.equal(record.outcome, 'refused');
    assert.equal(record.error_kind, 'no_route_matched');
    assert.equal(record.status, '404');
  });

  test('the SDK\'s doubly nested extra_body works', async () => {
    const { response } = await sdk(worker).chat.completions.create(callTo('turnout/user-aware', { extra_body: { metadata: { language: 'es' } } })).withResponse();
    assert.equal(response.headers.get('x-turnout-served'), 'openai/gpt-5.2');
  });
});

test('headers with names beyond ASCII are percent-encoded', async () => {
  worker.kv.put('router:encoded', { rule: { cel_expression: '"local/mödel 1%"' }, ...routerOf({ v: ['local/m1', 100] }) });
  const answer = await call(worker, callTo('turnout/encoded'));
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers['x-turnout-variant'], /^[\x20-\x7e]+$/);
  assert.ok(['local/mödel 1%', 'v'].includes(decodeURIComponent(answer.headers['x-turnout-variant'])));
});
