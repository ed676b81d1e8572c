// Which targets are tried, in which order, and for which failures: plans, and the settings that say what counts.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe } from 'node:test';
import { call, callTo } from './client.mjs';
import { test, workerFor } from './harness.mjs';
import { REFUSED, good, openStage } from './stage.mjs';
import { gatewayTo, json, routerOf } from './upstream.mjs';

const { script: SAID, ...ANSWERED } = good('whole');
const refusal = (status) => json({ error: { message: 'no', type: 'a_type', code: 'a_code' } }, { status });
const DOWN = refusal(503);

const ROUTERS_ONLY = 'a-key-for-routers';
const MODELS_TOO = 'a-key-for-models-too';
const keyRecord = (id, key, scopes) => [`key:${createHash('sha256').update(key).digest('hex')}`, { id, scopes }];

let stage;

before(async () => {
  stage = await openStage({ kv: Object.fromEntries([keyRecord('k-1', ROUTERS_ONLY, ['call']), keyRecord('k-2', MODELS_TOO, ['call', 'models'])]) });
});
after(() => stage?.close());

/** Variants of a route: `[variant id, target, weight, model_selection]` each. */
const variants = (...list) => (model) => list.map(([variant_id, target, weight, selection]) => ({
  variant: { variant_id, model_id: model(target), ...(selection && { model_selection: selection(model) }) },
  weight,
}));

describe('the order of a plan', () => {
  test('the variant\'s models, in their order', async () => {
    const scene = stage.scene({ a: DOWN, b: DOWN, c: DOWN, d: SAID });
    await scene.checkServed(await scene.call({}), { ...ANSWERED, attempts: ['a:503', 'b:503', 'c:503', 'd:200'] });
    assert.equal(scene.order, 'a,b,c,d');
  });

  test('camel case is read too', async () => {
    const scene = stage.scene({ a: DOWN, b: SAID }, {
      variants: (model) => [{ variant: { variantId: 'only', modelId: model('a'), modelSelection: { models: [model('b')] } }, weight: 100 }],
    });
    await scene.checkServed(await scene.call({}), { ...ANSWERED, attempts: ['a:503', 'b:200'] });
  });

  for (const [name, wrap] of Object.entries({ 'at the top level': (fields) => fields, 'under extra_body': (fields) => ({ extra_body: fields }) })) {
    test(`then the request's models, ${name}`, async () => {
      const scene = stage.scene({ a: DOWN, b: DOWN, c: DOWN, d: SAID }, { variants: variants(['only', 'a', 100, (model) => ({ models: [model('b')] })]) });
      const answer = await scene.call(wrap({ models: [scene.model('c'), scene.model('d')] }));
      await scene.checkServed(answer, { ...ANSWERED, attempts: ['a:503', 'b:503', 'c:503', 'd:200'] });
      assert.deepEqual(Object.keys(scene.requests[0].json).sort(), ['messages', 'model']);
    });

    test(`ignore is honoured, ${name}`, async () => {
      const scene = stage.scene({ a: DOWN, b: [], c: [], d: SAID });
      const answer = await scene.call(wrap({ ignore: ['b', scene.model('c')] }));
      await scene.checkServed(answer, { ...ANSWERED, attempts: ['a:503', 'd:200'] });
    });
  }

  test('then the route\'s other variants by weight, where it says so; the assigned one stays assigned', async () => {
    const scene = stage.scene({ a: DOWN, b: SAID, c: DOWN, d: [] }, {
      failover: { across_variants: true },
      variants: variants(['assigned', 'a', 99.97], ['light', 'b', 0.01], ['heavier', 'c', 0.02], ['none', 'd', 0]),
    });
    // The first of the users whom the heavy variant gets: nearly all.
    const answer = await scene.call({ user: 'user-1' });
    assert.equal(answer.headers['x-turnout-variant'], 'assigned');
    const record = await scene.checkServed(answer, { ...ANSWERED, attempts: ['a:503', 'c:503', 'b:200'] });
    assert.equal(record.variant, 'assigned');
  });

  test('the route\'s other variants stay out of it where it does not say so', async () => {
    const scene = stage.scene({ a: DOWN, b: [] }, { variants: variants(['assigned', 'a', 99.99], ['other', 'b', 0.01]) });
    const answer = await scene.call({ user: 'user-1' });
    assert.equal(answer.headers['x-turnout-variant'], 'assigned');
    await scene.checkFailed(answer, { status: 503, body: DOWN.body, attempts: ['a:503'], outcome: 'upstream_error', kind: 'a_code' });
  });

  test('a request cannot ask for other variants', async () => {
    const scene = stage.scene({ a: DOWN, b: [] }, { variants: variants(['assigned', 'a', 99.99], ['other', 'b', 0.01]) });
    const answer = await scene.refused({ user: 'user-1', fallback: { across_variants: true } });
    assert.equal(answer.status, 400, answer.text);
    assert.match(`${answer.json.error.param} ${answer.json.error.message}`, /across_variants/);
    assert.equal(scene.requests.length, 0);
  });

  test('duplicates are tried once', async () => {
    const scene = stage.scene({ a: DOWN, b: DOWN, c: SAID }, {
      failover: { across_variants: true },
      variants: variants(['assigned', 'a', 99.98, (model) => ({ models: [model('b'), model('a'), model('b')] })], ['same', 'b', 0.01], ['other', 'c', 0.01]),
    });
    const answer = await scene.call({ user: 'user-1', models: [scene.model('a'), scene.model('b')] });
    await scene.checkServed(answer, { ...ANSWERED, attempts: ['a:503', 'b:503', 'c:200'] });
  });

  test('a variant\'s own ignore counts, for its fallbacks and the others', async () => {
    const scene = stage.scene({ a: DOWN, b: [], c: SAID }, {
      failover: { across_variants: true },
      variants: variants(['assigned', 'a', 99.98, (model) => ({ models: [model('c')], ignore: ['b'] })], ['other', 'b', 0.02]),
    });
    await scene.checkServed(await scene.call({ user: 'user-1' }), { ...ANSWERED, attempts: ['a:503', 'c:200'] });
  });

  test('where all is ignored, the caller is told', async () => {
    const scene = stage.scene({ a: [], b: [] });
    const answer = await scene.call({ ignore: ['a', 'b'] });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json.error.code, 'invalid_request');
    assert.equal(answer.json.error.param, 'ignore');
    assert.equal(scene.requests.length, 0);
  });

  test('no more attempts than it may make', async () => {
    const scene = stage.scene({ a: DOWN, b: DOWN, c: [], d: [] }, { failover: { attempts: 2 } });
    const answer = await scene.call({});
    await scene.checkFailed(answer, { status: 503, body: DOWN.body, attempts: ['a:503', 'b:503'], outcome: 'upstream_error', kind: 'a_code' });
  });

  test('a request that wants one attempt gets one', async () => {
    const scene = stage.scene({ a: DOWN, b: [] });
    const answer = await scene.call({ extra_body: { fallback: { attempts: 1 } } });
    await scene.checkFailed(answer, { status: 503, body: DOWN.body, attempts: ['a:503'], outcome: 'upstream_error', kind: 'a_code' });
  });
});

describe('a target that cannot be called is skipped, with a note', () => {
  const odd = { 'a provider that nobody knows': 'nowhere/x', 'a provider without its secret': 'groq/llama' };
  for (const [name, target] of Object.entries(odd)) {
    test(`${name}, in the middle`, async () => {
      const scene = stage.scene({ a: DOWN, b: SAID }, { variants: variants(['only', 'a', 100, (model) => ({ models: [target, model('b')] })]) });
      const answer = await scene.call({});
      await scene.checkServed(answer, { ...ANSWERED, attempts: ['a:503', 'b:200'] });
      assert.ok(answer.headers['x-turnout-note'].includes(`${target} skipped`), answer.headers['x-turnout-note']);
    });

    test(`${name}, at the end: what the last attempt was answered is told`, async () => {
      const scene = stage.scene({ a: DOWN }, { variants: variants(['only', 'a', 100, () => ({ models: [target] })]) });
      const answer = await scene.call({});
      await scene.checkFailed(answer, { status: 503, body: DOWN.body, attempts: ['a:503'], outcome: 'upstream_error', kind: 'a_code' });
      assert.ok(answer.headers['x-turnout-note'].includes(`${target} skipped`), answer.headers['x-turnout-note']);
    });

    test(`${name}, as the variant's own`, async () => {
      const scene = stage.scene({ b: SAID }, { variants: (model) => [{ variant: { variant_id: 'only', model_id: target, model_selection: { models: [model('b')] } }, weight: 100 }] });
      const answer = await scene.call({});
      await scene.checkServed(answer, { ...ANSWERED, attempts: ['b:200'] });
      assert.ok(answer.headers['x-turnout-note'].includes(`${target} skipped`), answer.headers['x-turnout-note']);
    });
  }
});

describe('what counts as a failure can be set', () => {
  const cases = {
    'a list without the status': [{ failover: { on: ['5xx'] } }, 429, false],
    'a list with the status': [{ failover: { on: [429] } }, 429, true],
    'a list with another status': [{ failover: { on: [429] } }, 503, false],
    'a class': [{ failover: { on: ['4xx'] } }, 422, true],
    'the caller\'s mistake, where it is listed': [{ failover: { on: [400] } }, 400, true],
    'a list without credentials': [{ failover: { on: ['5xx', 'connection'] } }, 401, false],
    'a list with credentials': [{ failover: { on: ['credentials'] } }, 401, true],
    'a list in the defaults': [{ defaults: { failover: { on: [429] } } }, 503, false],
    'a route\'s list over that of the defaults': [{ defaults: { failover: { on: [429] } }, failover: { on: ['5xx'] } }, 503, true],
    'the defaults where the route says something else': [{ defaults: { failover: { on: [429] } }, failover: { attempts: 3 } }, 503, false],
  };
  for (const [name, [options, status, leadsOn]] of Object.entries(cases)) {
    test(`${name}: ${status} ${leadsOn ? 'leads on' : 'is passed on at once'}`, async () => {
      const scene = stage.scene(leadsOn ? { a: refusal(status), b: SAID } : { a: refusal(status), b: [] }, options);
      const answer = await scene.call({});
      if (leadsOn) return scene.checkServed(answer, { ...ANSWERED, attempts: [`a:${status}`, 'b:200'] });
      const told = status === 401 ? { status: 502, code: 'upstream_credentials' } : { status, body: refusal(status).body, kind: 'a_code' };
      return scene.checkFailed(answer, { ...told, attempts: [`a:${status}`], outcome: 'upstream_error' });
    });
  }

  test('a list without connection: the refusal is told at once', async () => {
    const scene = stage.scene({ [REFUSED]: [], b: [] }, { failover: { on: ['5xx'] } });
    const answer = await scene.call({});
    await scene.checkFailed(answer, { status: 502, code: 'upstream_unreachable', attempts: scene.attempts(answer).map(() => `${REFUSED}:unreachable`), outcome: 'unreachable' });
  });

  test('a request\'s list goes over the route\'s', async () => {
    const scene = stage.scene({ a: refusal(418), b: SAID }, { failover: { on: ['5xx'] } });
    await scene.checkServed(await scene.call({ fallback: { on: [418] } }), { ...ANSWERED, attempts: ['a:418', 'b:200'] });
  });

  for (const on of [['6xx'], [200], ['moon'], 'connection', [null]]) {
    test(`a request's list of ${JSON.stringify(on)} is 400 and names the field`, async () => {
      const scene = stage.scene({ a: [] });
      const answer = await scene.refused({ fallback: { on } });
      assert.equal(answer.status, 400, answer.text);
      assert.match(`${answer.json.error.param} ${answer.json.error.message}`, /fallback.*on/);
    });
  }
});

describe('fallbacks that a request names', () => {
  const asked = (scene) => ({ models: [scene.model('b')] });

  test('need the scope for models: 403 model_not_allowed', async () => {
    const scene = stage.scene({ a: SAID });
    for (const body of [asked(scene), { extra_body: asked(scene) }]) {
      const answer = await scene.refused(body, { key: ROUTERS_ONLY });
      assert.equal(answer.status, 403, answer.text);
      assert.equal(answer.json.error.code, 'model_not_allowed');
    }
    assert.equal(scene.requests.length, 0);
  });

  test('are served to a key with the scope', async () => {
    const scene = stage.scene({ a: DOWN, b: SAID }, { variants: variants(['only', 'a', 100]) });
    await scene.checkServed(await scene.call(asked(scene), { key: MODELS_TOO }), { ...ANSWERED, attempts: ['a:503', 'b:200'] });
  });

  test('of the document need no scope', async () => {
    const scene = stage.scene({ a: DOWN, b: SAID });
    await scene.checkServed(await scene.call({}, { key: ROUTERS_ONLY }), { ...ANSWERED, attempts: ['a:503', 'b:200'] });
  });

  test('settings and ignore need no scope', async () => {
    const scene = stage.scene({ a: DOWN, b: [], c: SAID });
    const answer = await scene.call({ ignore: ['b'], fallback: { attempts: 3 } }, { key: ROUTERS_ONLY });
    await scene.checkServed(answer, { ...ANSWERED, attempts: ['a:503', 'c:200'] });
  });

  test('serve a direct call too', async () => {
    const scene = stage.scene({ a: DOWN, b: SAID });
    const answer = await call(stage.worker, callTo(scene.model('a'), { models: [scene.model('b')] }));
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.text, ANSWERED.text);
    assert.deepEqual(scene.attempts(answer), ['a:503', 'b:200']);
    assert.equal(answer.headers['x-turnout-served'], scene.model('b'));
    assert.equal(answer.headers['x-turnout-variant'], undefined);
    const record = await stage.worker.record(answer);
    assert.equal(record.outcome, 'ok');
    assert.equal(record.provider, 'b');
    await scene.checkUpstream(2);
  });

  for (const models of ['b/x', [1], [''], [{}], {}]) {
    test(`of ${JSON.stringify(models)} are 400 and name the field`, async () => {
      const scene = stage.scene({ a: [] });
      const answer = await scene.refused({ models });
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json.error.code, 'invalid_request');
      assert.match(`${answer.json.error.param} ${answer.json.error.message}`, /models/);
    });
  }
});

test('a demo model stands in as any other', async (t) => {
  const { upstream } = stage;
  const kv = { gateway: gatewayTo(upstream, { a: [] }), 'router:demo': routerOf({ only: ['a/dead', 100] }) };
  kv['router:demo'].default_route.variants[0].variant.model_selection = { models: ['demo/sage'] };
  const worker = await workerFor(t, { vars: { DEMO: 'on' }, kv });
  for (const body of [{}, { stream: true }]) {
    upstream.next(DOWN);
    const answer = await call(worker, callTo('turnout/demo', body));
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.headers['x-turnout-attempts'], /^a\/dead:503:\d+ms,demo\/sage:200:\d+ms$/);
    assert.equal(answer.headers['x-turnout-served'], 'demo/sage');
    const record = await worker.record(answer);
    assert.equal(record.provider, 'demo');
    assert.equal(record.outcome, 'ok');
  }
});
