// The circuit of each target, as an isolate keeps it; and 2,000 calls with one of two targets dead.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { eventually } from './client.mjs';
import { test } from './harness.mjs';
import { KINDS, REFUSED, good, openStage } from './stage.mjs';
import { gate, json, reset, stall } from './upstream.mjs';

const { script: SAID, ...ANSWERED } = good('whole');
const refusal = (status, headers) => json({ error: { message: 'no', type: 'a_type', code: 'a_code' } }, { status, headers });
const DOWN = refusal(503);
/** So many failures in a row open a circuit, for so long at first. */
const FAILURES = 5;
const OPEN_MS = 5_000;

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const note = (answer) => decodeURIComponent(answer.headers['x-turnout-note'] ?? '');

let stage;

before(async () => { stage = await openStage(); });
after(() => stage?.close());

/** So many calls, one after the other, each of which is served by b. */
async function failOver(scene, calls = FAILURES, body = {}) {
  for (let at = 0; at < calls; at += 1) {
    const answer = await scene.call(body);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['x-turnout-served'], scene.model('b'));
  }
}

/** Who was asked since the last time. */
function asked(scene) {
  return scene.requests.splice(0).map(({ target }) => target).join();
}

describe('a target that failed five times in a row', { concurrency: true }, () => {
  test('is left alone, tried by a single call, and is back once it is well', async () => {
    const [well, tried] = [gate(), gate()];
    let isDown = true;
    const scene = stage.scene({
      a: () => (isDown ? DOWN : async () => {
        tried.open();
        await well;
        return SAID;
      }),
      b: () => SAID,
    });
    const call = async (served, attempts) => {
      const answer = await scene.call({});
      assert.equal(answer.text, ANSWERED.text);
      assert.equal(answer.headers['x-turnout-served'], scene.model(served));
      assert.deepEqual(scene.attempts(answer), attempts);
      return note(answer);
    };

    await failOver(scene);
    const opened = performance.now();
    assert.equal(asked(scene), 'a,b'.concat(',a,b'.repeat(FAILURES - 1)));
    for (let at = 0; at < 3; at += 1) {
      assert.match(await call('b', ['b:200']), new RegExp(`${scene.model('a')} left alone: 5 failures in a row`));
    }
    assert.equal(asked(scene), 'b,b,b', 'a target was asked that is to be left alone');

    isDown = false;
    await sleep(OPEN_MS + 100 - (performance.now() - opened));
    const probe = call('a', ['a:200']);
    await tried;
    assert.match(await call('b', ['b:200']), /left alone: .*another call/);
    assert.equal(asked(scene), 'a,b');
    well.open();
    assert.match(await probe, new RegExp(`${scene.model('a')} is tried again`));
    assert.equal(await call('a', ['a:200']), '');
    assert.equal(asked(scene), 'a');
  });

  test('is called all the same where it is all that is left', async () => {
    const answers = [...Array(FAILURES + 2).fill(DOWN), SAID];
    const scene = stage.scene({ a: [...answers] });
    for (const [at, { status }] of answers.entries()) {
      const answer = await scene.call({});
      assert.equal(answer.status, status, answer.text);
      assert.equal(scene.requests.length, at + 1);
      if (at >= FAILURES) assert.match(note(answer), /left alone/);
    }
  });

  test('is called where all others are spent', async () => {
    const scene = stage.scene({ a: [...Array(FAILURES).fill(DOWN), SAID], b: [...Array(FAILURES).fill(SAID), DOWN] });
    await failOver(scene);
    const answer = await scene.call({});
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(scene.attempts(answer), ['b:503', 'a:200']);
  });

  test('is left alone by streams that waited too long for a first token, too', async () => {
    const { script } = good('filtered stream');
    const scene = stage.scene({ a: () => ({ headersAfter: stall, body: '' }), b: () => script }, { failover: { ttft_timeout: '300ms' } });
    await Promise.all(Array.from({ length: FAILURES }, () => failOver(scene, 1, { stream: true })));
    asked(scene);
    await failOver(scene, 1, { stream: true });
    assert.equal(asked(scene), 'b');
  });
});

describe('a target is not left alone', { concurrency: true }, () => {
  const harmless = {
    'for calls that do not stream and took too long': [() => ({ headersAfter: stall, body: '' }), { attempt_timeout: '100ms' }],
    'for callers\' mistakes': [() => refusal(422), { on: ['4xx'] }],
  };
  for (const [name, [script, failover]] of Object.entries(harmless)) {
    test(name, async () => {
      const scene = stage.scene({ a: script, b: () => SAID }, { failover });
      await failOver(scene, FAILURES + 1);
      asked(scene);
      await failOver(scene, 1);
      assert.equal(asked(scene), 'a,b');
    });
  }

  test('for failures between which it answers well', async () => {
    let count = 0;
    const scene = stage.scene({ a: () => ((count += 1) % FAILURES === 0 ? SAID : DOWN), b: () => SAID });
    for (let at = 0; at < 3 * FAILURES; at += 1) assert.equal((await scene.call({})).status, 200);
    assert.equal(scene.requests.filter(({ target }) => target === 'a').length, 3 * FAILURES);
  });

  test('for what another model of its downstream does', async () => {
    const dead = stage.scene({ a: () => DOWN, b: () => SAID });
    await failOver(dead);
    const scene = stage.scene({ a: SAID, b: [] });
    await scene.checkServed(await scene.call({}), { ...ANSWERED, attempts: ['a:200'] });
  });
});

test('a target that asked for two seconds is left alone for two seconds', async () => {
  const scene = stage.scene({ a: [refusal(429, { 'retry-after': '2' }), SAID], b: () => SAID });
  await failOver(scene, 1);
  const since = performance.now();
  assert.equal(asked(scene), 'a,b');
  const answer = await scene.call({});
  assert.deepEqual(scene.attempts(answer), ['b:200']);
  assert.match(note(answer), /left alone: it asked/);
  assert.equal(asked(scene), 'b');
  await sleep(2_050 - (performance.now() - since));
  const later = await scene.call({});
  assert.deepEqual(scene.attempts(later), ['a:200']);
});

describe('2,000 calls with one of two targets dead all succeed', () => {
  const CALLS = 2_000;
  const AT_ONCE = 24;
  const kinds = Object.keys(KINDS);
  const answers = Object.fromEntries(kinds.map((kind) => [kind, good(kind)]));
  const ofKind = ({ json: { stream, stream_options: options } }) => answers[stream ? (options.include_usage ? 'native stream' : 'filtered stream') : 'whole'].script;

  const dead = {
    'its connections are refused': { [REFUSED]: [] },
    'its connections are reset': { a: () => ({ chunks: [reset] }) },
    'it is down': { a: () => DOWN },
  };
  for (const [name, scripts] of Object.entries(dead)) {
    test(name, async (t) => {
      const [corpse] = Object.keys(scripts);
      const scene = stage.scene({ ...scripts, b: ofKind }, {
        failover: { across_variants: true },
        variants: (model) => [['dead', corpse], ['alive', 'b']].map(([variant_id, target]) => ({ variant: { variant_id, model_id: model(target) }, weight: 50 })),
      });
      const assigned = { dead: 0, alive: 0 };
      let attempted = 0;
      let next = 0;
      const lane = async () => {
        while (next < CALLS) {
          const at = next++;
          const kind = kinds[at % kinds.length];
          const answer = await scene.call({ ...KINDS[kind], user: `user-${at % 500}` });
          assert.equal(answer.status, 200, answer.text);
          assert.equal(answer.text, answers[kind].text);
          assert.equal(answer.headers['x-turnout-served'], scene.model('b'));
          assigned[answer.headers['x-turnout-variant']] += 1;
          attempted += scene.attempts(answer).length - 1;
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, lane));
      t.diagnostic(`${assigned.dead} calls were assigned to the dead target, ${attempted} attempts were made at it`);
      assert.equal(assigned.dead + assigned.alive, CALLS);
      assert.ok(Math.min(assigned.dead, assigned.alive) > CALLS / 3, JSON.stringify(assigned));
      assert.ok(attempted >= FAILURES && attempted < assigned.dead / 2, `${attempted} attempts at a target that should be left alone`);

      const records = await eventually(() => stage.worker.recordsOf(scene.name), ({ length }) => length === CALLS);
      assert.ok(records.every(({ outcome, provider, is_error: isError }) => outcome === 'ok' && provider === 'b' && isError === 0));
      assert.equal(records.filter(({ variant }) => variant === 'dead').length, assigned.dead);
    });
  }
});
