// Weights promoted, ramped, planned and explained through the control API of the real worker.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe } from 'node:test';
import { call, callTo, eventually } from './client.mjs';
import { test, workerFor } from './harness.mjs';

const READER = { id: 'reader', scopes: ['read'] };
const LIMITED = { id: 'limited', scopes: ['read', 'write'], routers: ['other'] };
const hashed = (key) => `key:${createHash('sha256').update(key).digest('hex')}`;

/** As a person would write it, without ids: swift has `weight` of a hundred. */
const text = (weight) => `{
  "defaultRoute": {
    "variants": [
      {"variant": {"modelId": "demo/swift"}, "weight": ${weight}},
      {"variant": {"modelId": "demo/sage"}, "weight": ${100 - weight}}
    ]
  }
}`;

const workerWith = (t, kv = {}) =>
  workerFor(t, { vars: { DEMO: 'on' }, kv: { [hashed('reader')]: READER, [hashed('limited')]: LIMITED, ...kv } });

const ask = (worker, line, body, options = {}) => {
  const [method, path] = line.split(' ');
  return call(worker, body, { method, path: `/router/v1${path}`, ...options });
};

async function done(worker, line, body, options) {
  const answer = await ask(worker, line, body, options);
  assert.equal(answer.status, 200, `${line}: ${answer.text}`);
  return answer.json;
}

async function refused(worker, line, body, status, said, options = {}) {
  const answer = await ask(worker, line, body, options);
  assert.equal(answer.status, status, `${line}: ${answer.text}`);
  assert.match(answer.json.error.message, said);
}

const weights = (router) => router.defaultRoute.variants.map(({ weight }) => weight);
const soon = (ms) => new Date(Date.now() + ms).toISOString();

describe('edits', () => {
  test('of weights keep what the author wrote, and write down the ids', async (t) => {
    const worker = await workerWith(t, { 'router:one': text(50.5) });
    const promoted = await done(worker, 'POST /routers/one:promote', { variant_id: 'demo/sage', weight: 10 });
    assert.deepEqual(weights(promoted), [90, 10]);
    const stored = String(worker.kv.get('router:one'));
    const expected = text(90)
      .replace('{\n    "variants"', '{\n    "routeId": "default",\n    "variants"')
      .replace('{"modelId": "demo/swift"}', '{"variantId": "demo/swift", "modelId": "demo/swift"}')
      .replace('{"modelId": "demo/sage"}', '{"variantId": "demo/sage", "modelId": "demo/sage"}');
    assert.equal(stored, expected);
    const { revisions } = await done(worker, 'GET /routers/one/history');
    assert.match(JSON.stringify(revisions[0]), /default: demo\/swift 50.5 → 90, demo\/sage 49.5 → 10/);
    await refused(worker, 'POST /routers/one:promote', { variant_id: 'oak' }, 400, /no variant 'oak'; it has 'demo\/swift', 'demo\/sage'/);
    await refused(worker, 'POST /routers/one:promote', { variant: 'oak' }, 400, /variant/);
    await refused(worker, 'POST /routers/one:promote', { variant_id: 'demo/sage' }, 403, /scope/, { key: 'reader' });
    await refused(worker, 'POST /routers/one:promote', { variant_id: 'demo/sage' }, 404, /no router/, { key: 'limited' });
    await refused(worker, 'POST /routers/none:promote', { variant_id: 'demo/sage' }, 404, /no router/);
  });

  test('with a mask change what it names alone', async (t) => {
    const worker = await workerWith(t, { 'router:one': text(50) });
    const changed = await done(worker, 'PATCH /routers/one?update_mask=display_name', { displayName: 'One', description: 'left out' });
    assert.equal(changed.displayName, 'One');
    assert.equal(changed.description, undefined);
    const cleared = await done(worker, 'PATCH /routers/one?update_mask=displayName', {});
    assert.equal(cleared.displayName, undefined);
    await refused(worker, 'PATCH /routers/one?update_mask=colour', {}, 400, /no field 'colour'. The fields are display_name/);
    const shown = await done(worker, 'GET /routers/one');
    const again = await done(worker, 'PATCH /routers/one', { ...shown, description: 'sent back' });
    assert.equal(again.description, 'sent back');
    assert.doesNotMatch(String(worker.kv.get('router:one')), /etag|serving|revision|ramps/);
  });
});

describe('a ramp', () => {
  test('moves calls without another change, and is paused, resumed and finished', async (t) => {
    const worker = await workerWith(t, { 'router:one': text(100) });
    const steps = [{ at: soon(-1000), weight: 0 }, { at: soon(4000), weight: 100 }];
    const started = await done(worker, 'POST /routers/one:ramp', { variant_id: 'demo/sage', steps });
    assert.equal(started.ramps[0].state, 'running');
    const revision = String(started.revision);
    const asked = () => call(worker, callTo('turnout/one', { user: 'u' }));
    const first = await eventually(asked, ({ headers }) => headers['x-turnout-revision'] === revision);
    assert.equal(first.headers['x-turnout-variant'], 'demo/swift');
    await refused(worker, 'POST /routers/one:promote', { variant_id: 'demo/sage' }, 409, /has not reached its end/);
    await refused(worker, 'POST /routers/one:ramp', { variant_id: 'demo/sage', steps }, 409, /has not reached its end/);
    const later = await eventually(asked, ({ headers }) => headers['x-turnout-variant'] === 'demo/sage');
    assert.equal(later.headers['x-turnout-revision'], revision, 'by the clock alone');
    assert.equal((await done(worker, 'GET /routers/one')).ramps[0].state, 'done');
    // All went to sage, so it does not follow who gets the rest.
    await refused(worker, 'POST /routers/one:promote', { variant_id: 'demo/sage', weight: 40 }, 400, /Send the weights of all/);
    const folded = await done(worker, 'POST /routers/one:promote', { weights: { 'demo/swift': 60, 'demo/sage': 40 } });
    assert.deepEqual([weights(folded), folded.ramps], [[60, 40], undefined]);

    const slow = [{ at: soon(-1000), weight: 50 }, { at: soon(3_600_000), weight: 100 }];
    await done(worker, 'POST /routers/one:ramp', { variant_id: 'demo/sage', steps: slow });
    const paused = await done(worker, 'POST /routers/one:ramp', { action: 'pause' });
    assert.deepEqual([paused.ramps[0].state, paused.ramps[0].current_weight], ['paused', 50]);
    await done(worker, 'POST /routers/one:ramp', { action: 'resume' });
    const finished = await done(worker, 'POST /routers/one:ramp', { action: 'finish' });
    assert.deepEqual([weights(finished), finished.ramps], [[0, 100], undefined]);
    await refused(worker, 'POST /routers/one:ramp', { action: 'cancel' }, 409, /has no ramp/);
  });
});

describe('a plan', () => {
  test('says who moves, against which state, and saves nothing', async (t) => {
    const worker = await workerWith(t, { 'router:one': text(80) });
    const shown = await done(worker, 'GET /routers/one');
    const document = JSON.parse(text(50));
    document.defaultRoute.variants[1].variant.modelId = 'demo/sage';
    const plan = await done(worker, 'POST /routers/one:plan', { document }, { key: 'reader' });
    assert.equal(plan.against.etag, shown.etag);
    assert.equal(plan.against.revision, String(shown.revision));
    assert.equal(plan.routes[0].moves[0].sentence, '3,000 of 10,000 users go from demo/swift to demo/sage.');
    assert.ok(Math.abs(plan.routes[0].moved - 0.3) < 1e-12 && Math.abs(plan.routes[0].least - 0.3) < 1e-12);
    assert.deepEqual(plan.warnings, []);
    assert.equal(String(worker.kv.get('router:one')), text(80));
    await refused(worker, 'POST /routers/one:plan', { document: { defaultRoute: { variants: [] } } }, 400, /at least one variant/);
    await refused(worker, 'POST /routers/one:plan', { document }, 404, /no router/, { key: 'limited' });
    const fresh = await done(worker, 'POST /routers/two:plan', { document: { default_route: { variants: [{ variant: { model_id: 'openai/gpt-5' }, weight: 100 }] } } });
    assert.equal(fresh.against, undefined);
    assert.match(fresh.models[0].problem, /set OPENAI_API_KEY/);
  });
});

describe('an explanation', () => {
  test('is what a call then gets', async (t) => {
    const conditional = JSON.parse(text(50));
    conditional.routes = [{ condition: { celExpression: "tier == 'gold'" }, route: JSON.parse(text(20)).defaultRoute }];
    const worker = await workerWith(t, { 'router:one': conditional });
    const cases = ['ann', 'bob', 'eve', 'dan'].flatMap((user) => ['gold', 'tin'].map((tier) => [user, tier]));
    // All at once: a demo model takes its seconds.
    await Promise.all(
      cases.map(async ([user, tier]) => {
        const explained = await done(worker, 'POST /routers/one:explain', { user, metadata: { tier } }, { key: 'reader' });
        const { headers } = await call(worker, callTo('turnout/one', { user, metadata: { tier } }));
        assert.equal(explained.assigned.variant_id, headers['x-turnout-variant']);
        assert.equal(explained.assigned.route_id, headers['x-turnout-route']);
        assert.equal(explained.revision, headers['x-turnout-revision']);
        assert.equal(explained.conditions[0].decides, tier === 'gold');
        assert.equal(explained.attempts[0].provider, 'demo');
      }),
    );
    const drawn = await done(worker, 'POST /routers/one:explain', {});
    assert.deepEqual([drawn.unit.kind, drawn.assigned], ['call', undefined]);
    await refused(worker, 'POST /routers/one:explain', { user: 7 }, 400, /user/);
    await refused(worker, 'POST /routers/none:explain', { user: 'u' }, 404, /no router/);
  });
});
