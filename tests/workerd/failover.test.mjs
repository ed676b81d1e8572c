// Law 2 in a real workerd, against an upstream that really fails: whatever goes wrong before the first meaningful byte
// leads to the next target, the caller gets a whole answer or an honest error, and nothing is left open upstream.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { FAILURES } from './failures.mjs';
import { test } from './harness.mjs';
import { KINDS, REFUSED, good, openStage } from './stage.mjs';
import { completion, event, finishChunk, json, roleChunk, sse } from './upstream.mjs';

let stage;

before(async () => { stage = await openStage(); });
after(() => stage?.close());

const OTHERS = Object.entries(FAILURES).flatMap(([name, failure]) => (failure.kinds ?? Object.keys(KINDS)).map((kind) => [`${name}, ${kind}`, failure, kind]));

/** A target's name and its scripts. */
function failing({ scripts }, kind, id = 'a') {
  return scripts === undefined ? [REFUSED, []] : [id, scripts(kind)];
}

/** The attempts with the name of their target, as texts or patterns. */
function of(target, attempts) {
  return attempts.map((attempt) => (attempt instanceof RegExp ? new RegExp(`^${target}:.*${attempt.source.replace(/^\^/, '')}`) : `${target}:${attempt}`));
}

describe('what fails before it says anything leads to the next target', () => {
  for (const [name, failure, kind] of OTHERS) {
    test(name, async () => {
      const [target, scripts] = failing(failure, kind);
      const { script, ...answered } = good(kind);
      const isAbandoned = failure.abandoned?.(kind);
      // The second answers once the first is seen closed: it must not be the call's end that closes it.
      const second = async () => {
        if (isAbandoned) await Promise.race([scene.requests[0].closed, new Promise((done) => setTimeout(done, 1_000))]);
        return script;
      };
      const scene = stage.scene({ [target]: scripts, b: second }, { failover: failure.settings });
      const answer = await scene.call(KINDS[kind]);
      const attempts = attemptsSeen(scene, answer, target, failure);
      await scene.checkServed(answer, { ...answered, attempts: [...attempts, 'b:200'] });
      if (isAbandoned) await scene.requests[0].cancelled();
    });
  }
});

describe('where all fail, the last failure is told honestly', () => {
  for (const [name, failure, kind] of OTHERS.filter(([, { alone }]) => alone)) {
    test(`alone: ${name}`, async () => {
      const [target, scripts] = failing(failure, kind);
      const scene = stage.scene({ [target]: scripts }, { failover: failure.settings });
      const answer = await scene.call(KINDS[kind]);
      await scene.checkFailed(answer, { ...failure.alone, attempts: attemptsSeen(scene, answer, target, failure) });
      if (failure.abandoned?.(kind)) await scene.requests[0].cancelled();
    });
  }

  test('after others the last one counts, whatever came before', async () => {
    const [down, limited] = [FAILURES[503], FAILURES['429 without a word on when']];
    const scene = stage.scene({ [REFUSED]: [], a: down.scripts(), b: limited.scripts() });
    const answer = await scene.call({});
    const attempts = attemptsSeen(scene, answer, REFUSED, FAILURES['a connection refused']);
    await scene.checkFailed(answer, { ...limited.alone, attempts: [...attempts, 'a:503', 'b:429'] });
  });

  test('a pause that an earlier one asked for is passed on with an answer that has no such word', async () => {
    const scene = stage.scene({ a: FAILURES['429 that asks for 30 s'].scripts(), b: FAILURES[503].scripts() });
    const answer = await scene.call({});
    await scene.checkFailed(answer, { ...FAILURES[503].alone, attempts: ['a:429', 'b:503'], headers: { 'retry-after': /^(29|30)$/ } });
  });

  test('a pause is passed on with an error of ours too', async () => {
    const scene = stage.scene({ a: FAILURES['429 that asks for 30 s'].scripts(), [REFUSED]: [] });
    const answer = await scene.call({});
    const attempts = attemptsSeen(scene, answer, REFUSED, FAILURES['a connection refused']);
    await scene.checkFailed(answer, { ...FAILURES['a connection refused'].alone, attempts: ['a:429', ...attempts], headers: { 'retry-after': /^(29|30)$/ } });
  });
});

describe('a connection that was reset is opened once more', () => {
  for (const [kind, body] of Object.entries(KINDS)) {
    test(kind, async () => {
      const { script, ...answered } = good(kind);
      const scene = stage.scene({ a: [...FAILURES['a connection reset, twice'].scripts().slice(0, 1), script], b: [] });
      await scene.checkServed(await scene.call(body), { ...answered, attempts: ['a:unreachable', 'a:200'] });
    });
  }
});

test('every attempt sends the caller\'s bytes, long ones too', async () => {
  const { script, ...answered } = good('whole');
  const scene = stage.scene({ [REFUSED]: [], a: FAILURES[503].scripts(), b: FAILURES['a connection reset, twice'].scripts(), c: script });
  const content = 'é"\\n'.repeat(500_000);
  const body = JSON.stringify(scene.body({ zeta: 1, messages: [{ role: 'user', content }] }));
  const answer = await scene.call({ zeta: 1, messages: [{ role: 'user', content }] });
  const refused = attemptsSeen(scene, answer, REFUSED, FAILURES['a connection refused']);
  await scene.checkServed(answer, { ...answered, attempts: [...refused, 'a:503', 'b:unreachable', 'b:unreachable', 'c:200'] });
  assert.ok(scene.requests[0].body.equals(Buffer.from(body.replace(`turnout/${scene.name}`, scene.name))), 'the bytes differ');
});

describe('the caller\'s own mistake passes at once, and as it is', () => {
  const mistakes = {
    400: json({ error: { message: 'bad temperature', type: 'invalid_request_error', param: 'temperature', code: 'unsupported_value' } }, { status: 400 }),
    413: json({ error: { message: 'too long', code: 'request_too_large' } }, { status: 413 }),
    422: json({ error: { message: 'no', code: 'unprocessable' } }, { status: 422 }),
    '400 without a body': { status: 400, body: '' },
  };
  for (const [name, script] of Object.entries(mistakes)) {
    for (const [kind, body] of Object.entries(KINDS)) {
      test(`${name}, ${kind}`, async () => {
        const scene = stage.scene({ a: script, b: [] });
        const answer = await scene.call(body);
        const { status } = script;
        const error = script.body && JSON.parse(script.body).error;
        await scene.checkFailed(answer, { status, body: script.body, attempts: [`a:${status}`], outcome: 'upstream_error', kind: error ? error.code : '' });
      });
    }
  }

  for (const [kind, body] of Object.entries(KINDS)) {
    test(`inside a 200 too, ${kind}`, async () => {
      const error = JSON.stringify({ error: { message: 'Your prompt is too long.', type: 'invalid_request_error', code: 400 } });
      const scene = stage.scene({ a: kind === 'whole' ? json(error) : sse([event(roleChunk()), event(error)]), b: [] });
      const answer = await scene.call(body);
      await scene.checkFailed(answer, { status: 400, body: error, attempts: ['a:200-in_band_error'], outcome: 'in_band_error', kind: undefined });
    });
  }
});

describe('an empty answer is an answer, unless the route says otherwise', () => {
  const empty = {
    whole: json(completion('')),
    stream: sse([event(roleChunk()), event(finishChunk()), event('[DONE]')]),
  };
  for (const [kind, body] of Object.entries(KINDS)) {
    const script = kind === 'whole' ? empty.whole : empty.stream;
    const text = script.body ?? script.chunks.join('');

    test(`it passes, ${kind}`, async () => {
      const scene = stage.scene({ a: script, b: [] });
      await scene.checkServed(await scene.call(body), { attempts: ['a:200'], text });
    });

    test(`with retry_on_empty it passes where nobody has more to say, ${kind}`, async () => {
      const scene = stage.scene({ a: script, b: script }, { failover: { retry_on_empty: true } });
      const answer = await scene.call(body);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.text, text);
      assert.deepEqual(scene.attempts(answer), ['a:200-empty', 'b:200-empty']);
      assert.equal((await scene.record()).outcome, 'empty');
      await scene.checkUpstream(2);
    });

    test(`a request can ask for it, ${kind}`, async () => {
      const { script: said, ...answered } = good(kind);
      const scene = stage.scene({ a: script, b: said });
      const answer = await scene.call({ ...body, extra_body: { fallback: { retry_on_empty: true } } });
      await scene.checkServed(answer, { ...answered, attempts: ['a:200-empty', 'b:200'] });
    });
  }
});

/** The attempts that the failing target must have; where there may be one or two, the answer says how many there were. */
function attemptsSeen(scene, answer, target, { attempts }) {
  const expected = of(target, attempts);
  if (!(attempts[0] instanceof RegExp) || attempts[0].source !== 'unreachable') return expected;
  const count = scene.attempts(answer).filter((attempt) => attempt.startsWith(`${target}:`)).length;
  assert.ok(count === 1 || count === 2, `${count} attempts`);
  return Array(count).fill(expected[0]);
}
