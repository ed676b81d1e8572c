// Failover in time: nothing reaches the caller before an answer is committed; budgets and deadline at each point; pauses
// that a downstream asks for; and callers who leave at each point.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { test } from './harness.mjs';
import { KINDS, good, openStage } from './stage.mjs';
import { DONE, completion, delta, event, finishChunk, gate, json, pause, roleChunk, sse, stall, usageChunk } from './upstream.mjs';

const STREAMS = Object.fromEntries(Object.entries(KINDS).filter(([, body]) => body.stream));
const ROLE = event(roleChunk());
const DOWN = json({ error: { message: 'down', code: 'overloaded' } }, { status: 503 });
const LATE = { status: 504, code: 'upstream_timeout', outcome: 'timeout' };

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** A 429 that asks for a pause. */
const asksWith = (headers) => json({ error: { message: 'slow down', code: 'rate_limit_exceeded' } }, { status: 429, headers });
const asksFor = (seconds) => asksWith({ 'retry-after': seconds });

/** How long `attempt` took, in milliseconds, beside what it gave. */
async function timed(attempt) {
  const began = performance.now();
  const result = await attempt();
  return [result, performance.now() - began];
}

let stage;

before(async () => { stage = await openStage(); });
after(() => stage?.close());

describe('nothing reaches the caller before an answer is committed', () => {
  for (const [kind, body] of Object.entries(STREAMS)) {
    const beginnings = { 'a comment': ': wait\n\n', 'a role': ROLE, 'an empty content': event(delta('')), 'half an event': event(delta('said')).slice(0, 60) };
    for (const [name, beginning] of Object.entries(beginnings)) {
      test(`${name} is none, ${kind}`, async () => {
        const [first, rest] = [gate(), gate()];
        const said = beginning.endsWith('\n\n') ? event(delta('said')) : event(delta('said')).slice(60);
        const scene = stage.scene({ a: sse([beginning, first, said, rest, event(finishChunk()), event(usageChunk()), DONE]), b: [] });
        const open = scene.open(body);
        await scene.request(0);
        await sleep(120); // nothing that could be seen from here says when the worker has read the beginning
        assert.ok(open.response === undefined, 'the caller has a head before anything was said');
        first.open();
        await open.seen(beginning + said);
        assert.equal((await open.head).statusCode, 200);
        rest.open();
        const usage = kind === 'native stream' ? event(usageChunk()) : '';
        await scene.checkServed(await open.end, { attempts: ['a:200'], text: beginning + said + event(finishChunk()) + usage + DONE });
      });
    }

    const events = {
      'a tool call': { choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'c', function: { name: 'f', arguments: '' } }] } }] },
      reasoning: { choices: [{ index: 0, delta: { reasoning_content: 'hm' } }] },
      'a refusal': { choices: [{ index: 0, delta: { refusal: 'no' } }] },
    };
    for (const [name, value] of Object.entries(events)) {
      test(`${name} is something, ${kind}`, async () => {
        const rest = gate();
        const scene = stage.scene({ a: sse([ROLE, event(value), rest, event(finishChunk()), DONE]), b: [] });
        const open = scene.open(body);
        await open.seen(ROLE + event(value));
        rest.open();
        await scene.checkServed(await open.end, { attempts: ['a:200'], text: ROLE + event(value) + event(finishChunk()) + DONE });
      });
    }
  }
});

describe('the time to the first token', () => {
  const stalled = () => sse([ROLE, stall]);
  const levels = {
    'of the route': { options: { failover: { ttft_timeout: '300ms' } } },
    'of the router\'s defaults': { options: { defaults: { failover: { ttft_timeout: '300ms' } } } },
    'of the route over that of the defaults': { options: { failover: { ttftTimeout: '0.3s' }, defaults: { failover: { ttft_timeout: '1m' } } } },
    'of the request': { body: { extra_body: { fallback: { ttft_timeout: '300ms' } } } },
    'of the request at the top level, over that of the route': { options: { failover: { ttft_timeout: '1m' } }, body: { fallback: { ttft_timeout: '300ms' } } },
  };
  for (const [name, { options, body }] of Object.entries(levels)) {
    test(`${name} leads to the next target`, async () => {
      const { script, ...answered } = good('filtered stream');
      const scene = stage.scene({ a: stalled(), b: script }, options);
      const [answer, took] = await timed(() => scene.call({ stream: true, ...body }));
      await scene.checkServed(answer, { ...answered, attempts: ['a:200-timeout', 'b:200'] });
      await scene.requests[0].cancelled();
      assert.ok(took >= 290 && took < 2_000, `it took ${took.toFixed()} ms`);
      const [, millis] = /a\/s\d+:200-timeout:(\d+)ms/.exec(answer.headers['x-turnout-attempts']);
      assert.ok(millis >= 290 && millis < 1_500, `the attempt is said to have taken ${millis} ms`);
    });
  }

  test('each attempt has its own', async () => {
    const { script, ...answered } = good('native stream');
    const scene = stage.scene({ a: stalled(), b: stalled(), c: script }, { failover: { ttft_timeout: '300ms' } });
    const answer = await scene.call(KINDS['native stream']);
    await scene.checkServed(answer, { ...answered, attempts: ['a:200-timeout', 'b:200-timeout', 'c:200'] });
    await Promise.all(scene.requests.slice(0, 2).map((request) => request.cancelled()));
  });

  for (const [kind, body] of Object.entries(STREAMS)) {
    test(`does not cut what was committed, ${kind}`, async () => {
      const scene = stage.scene({ a: sse([event(delta('begin')), pause(700), event(delta('end')), DONE]), b: [] }, { failover: { ttft_timeout: '300ms' } });
      await scene.checkServed(await scene.call(body), { attempts: ['a:200'], text: event(delta('begin')) + event(delta('end')) + DONE });
    });
  }

  test('is none of a call that does not stream', async () => {
    const { script, ...answered } = good('whole');
    const scene = stage.scene({ a: { ...script, headersAfter: pause(500) }, b: [] }, { failover: { ttft_timeout: '300ms' } });
    await scene.checkServed(await scene.call({}), { ...answered, attempts: ['a:200'] });
  });

  for (const value of ['299ms', '0.2s', '1', 1, '1 fortnight', -1, null, '']) {
    test(`of ${JSON.stringify(value)} is ${value === null ? 'none' : '400 and names the field'}`, async () => {
      const { script } = good('filtered stream');
      const scene = stage.scene({ a: script });
      const body = { stream: true, fallback: { ttft_timeout: value } };
      if (value === null) {
        assert.equal((await scene.call(body)).status, 200);
        return;
      }
      const answer = await scene.refused(body);
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json.error.code, 'invalid_request');
      assert.match(`${answer.json.error.param} ${answer.json.error.message}`, /fallback.*ttft_timeout/);
      assert.equal(scene.requests.length, 0);
    });
  }
});

describe('the time of an attempt that does not stream', () => {
  test('leads to the next target', async () => {
    const { script, ...answered } = good('whole');
    const scene = stage.scene({ a: { headersAfter: stall, body: '' }, b: script }, { failover: { attempt_timeout: '200ms' } });
    await scene.checkServed(await scene.call({}), { ...answered, attempts: ['a:timeout', 'b:200'] });
    await scene.requests[0].cancelled();
  });

  test('is none of a stream', async () => {
    const { script, ...answered } = good('filtered stream');
    const scene = stage.scene({ a: { ...script, headersAfter: pause(500) }, b: [] }, { failover: { attempt_timeout: '200ms' } });
    await scene.checkServed(await scene.call({ stream: true }), { ...answered, attempts: ['a:200'] });
  });
});

describe('the deadline ends all attempts together', () => {
  const failover = { deadline: '300ms' };
  const points = {
    'before the head': { scripts: () => ({ a: { headersAfter: stall, body: '' }, b: [] }), attempts: ['a:timeout'] },
    'after the head': { scripts: (kind) => ({ a: kind === 'whole' ? { chunks: ['{', stall] } : sse([stall]), b: [] }), attempts: [/^a:(200-)?timeout$/] },
    'after the role': { kinds: STREAMS, scripts: () => ({ a: sse([ROLE, stall]), b: [] }), attempts: ['a:200-timeout'] },
    'in the second attempt': { scripts: () => ({ a: DOWN, b: { headersAfter: stall, body: '' }, c: [] }), attempts: ['a:503', 'b:timeout'] },
  };
  for (const [name, { kinds = KINDS, scripts, attempts }] of Object.entries(points)) {
    for (const [kind, body] of Object.entries(kinds)) {
      test(`${name}, ${kind}`, async () => {
        const scene = stage.scene(scripts(kind), { failover });
        const [answer, took] = await timed(() => scene.call(body));
        await scene.checkFailed(answer, { ...LATE, attempts });
        await scene.requests.at(-1).cancelled();
        assert.ok(took >= 290 && took < 2_000, `it took ${took.toFixed()} ms`);
      });
    }
  }

  test('a shorter time of the attempt goes before it, and what is left is the next one\'s', async () => {
    const scene = stage.scene({ a: sse([stall]), b: sse([stall]) }, { failover: { deadline: '500ms', ttft_timeout: '300ms' } });
    const [answer, took] = await timed(() => scene.call({ stream: true }));
    await scene.checkFailed(answer, { ...LATE, attempts: ['a:200-timeout', 'b:200-timeout'] });
    assert.ok(took >= 490 && took < 800 + 1_000, `it took ${took.toFixed()} ms`);
  });

  test('no pause goes beyond it', async () => {
    const script = asksFor('1');
    const scene = stage.scene({ a: script }, { failover });
    const [answer, took] = await timed(() => scene.call({}));
    await scene.checkFailed(answer, { status: 429, body: script.body, attempts: ['a:429'], outcome: 'upstream_error', kind: 'rate_limit_exceeded', headers: { 'retry-after': '1' } });
    assert.ok(took < 300, `it took ${took.toFixed()} ms`);
  });

  for (const [kind, body] of Object.entries(STREAMS)) {
    test(`what is committed goes on beyond it, ${kind}`, async () => {
      const scene = stage.scene({ a: sse([event(delta('begin')), pause(700), event(delta('end')), DONE]), b: [] }, { failover });
      await scene.checkServed(await scene.call(body), { attempts: ['a:200'], text: event(delta('begin')) + event(delta('end')) + DONE });
    });
  }
});

describe('a pause that the downstream asks for', () => {
  const headers = {
    'in seconds': [{ 'retry-after': '1' }, 1_000],
    'in milliseconds': [{ 'retry-after-ms': '400' }, 400],
    'in a limit that is used up': [{ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '400ms' }, 400],
  };
  for (const [name, [said, asked]] of Object.entries(headers)) {
    test(`${name} is kept where no other target is left`, async () => {
      const { script, ...answered } = good('whole');
      const scene = stage.scene({ a: [asksWith(said), script] });
      const [answer, took] = await timed(() => scene.call({}));
      await scene.checkServed(answer, { ...answered, attempts: ['a:429', 'a:200'] });
      assert.ok(took >= asked && took < asked + 1_000, `it took ${took.toFixed()} ms`);
    });
  }

  test('as a date is kept too', async () => {
    const { script, ...answered } = good('filtered stream');
    const scene = stage.scene({ a: [() => asksFor(new Date(Date.now() + 2_000).toUTCString()), script] });
    const [answer, took] = await timed(() => scene.call({ stream: true }));
    await scene.checkServed(answer, { ...answered, attempts: ['a:429', 'a:200'] });
    // A date has whole seconds.
    assert.ok(took >= 800 && took < 3_500, `it took ${took.toFixed()} ms`);
  });

  test('is not waited for where another target is left', async () => {
    const { script, ...answered } = good('whole');
    const scene = stage.scene({ a: asksFor('1'), b: script });
    const [answer, took] = await timed(() => scene.call({}));
    await scene.checkServed(answer, { ...answered, attempts: ['a:429', 'b:200'] });
    assert.ok(took < 700, `it took ${took.toFixed()} ms`);
  });

  test('of more than ten seconds is not waited for, and passed on', async () => {
    const script = asksFor('11');
    const scene = stage.scene({ a: script });
    const answer = await scene.call({});
    await scene.checkFailed(answer, { status: 429, body: script.body, attempts: ['a:429'], outcome: 'upstream_error', kind: 'rate_limit_exceeded', headers: { 'retry-after': '11' } });
  });

  test('is kept twice at the most', async () => {
    const script = asksWith({ 'retry-after-ms': '100' });
    const scene = stage.scene({ a: [script, script, script, script] });
    const answer = await scene.call({});
    await scene.checkFailed(answer, { status: 429, body: script.body, attempts: ['a:429', 'a:429', 'a:429'], outcome: 'upstream_error', kind: 'rate_limit_exceeded' });
  });
});

describe('a caller who leaves ends everything, and is no error', () => {
  const head = { headersAfter: stall, body: '' };
  const points = {
    'before the head': { scripts: { a: head, b: [] }, attempts: ['a:client_cancelled'] },
    'after the head': { scripts: { a: sse([stall]), b: [] }, attempts: [/^a:(200-)?client_cancelled$/], settle: 60 },
    'after the role': { kinds: STREAMS, scripts: { a: sse([ROLE, stall]), b: [] }, attempts: ['a:200-client_cancelled'], settle: 60 },
    'in the second attempt': { scripts: { a: DOWN, b: head, c: [] }, attempts: ['a:503', 'b:client_cancelled'] },
    'in the second attempt, after the role': { kinds: STREAMS, scripts: { a: DOWN, b: sse([ROLE, stall]), c: [] }, attempts: ['a:503', 'b:200-client_cancelled'], settle: 60 },
    'within a whole body': { kinds: { whole: {} }, scripts: { a: { headers: { 'content-type': 'application/json' }, chunks: ['{"begin', stall] }, b: [] }, attempts: [/^a:(200-)?client_cancelled$/], settle: 60 },
    'after commitment': { kinds: STREAMS, scripts: { a: sse([event(delta('begin')), stall]), b: [] }, attempts: ['a:200-client_cancelled'], until: 'begin' },
    'after commitment of the second': { kinds: STREAMS, scripts: { a: DOWN, b: sse([event(delta('begin')), stall]), c: [] }, attempts: ['a:503', 'b:200-client_cancelled'], until: 'begin' },
    'after commitment, where the attempt had a time of its own': { kinds: STREAMS, scripts: { a: sse([event(delta('begin')), stall]), b: [] }, attempts: ['a:200-client_cancelled'], until: 'begin', options: { failover: { ttft_timeout: '300ms' } } },
    'while a timer runs': { scripts: { a: head, b: [] }, attempts: ['a:client_cancelled'], options: { failover: { ttft_timeout: '30s', attempt_timeout: '30s' } } },
  };
  for (const [name, { kinds = KINDS, scripts, attempts, settle = 0, until, options }] of Object.entries(points)) {
    for (const [kind, body] of Object.entries(kinds)) {
      test(`${name}, ${kind}`, async () => {
        const scene = stage.scene(scripts, options);
        const open = scene.open(body);
        const request = await scene.request(attempts.length - 1);
        if (until) await open.seen(until);
        else await sleep(settle);
        open.leave();
        await request.cancelled();
        await checkLeft(scene, attempts);
      });
    }
  }

  test('in a pause: no other request is made', async () => {
    const scene = stage.scene({ a: [asksFor('1'), json(completion('too late'))] });
    const open = scene.open({});
    const request = await scene.request(0);
    await request.closed;
    await sleep(150);
    const [, took] = await timed(async () => {
      open.leave();
      await checkLeft(scene, ['a:429']);
    });
    assert.ok(took < 900, `the record came ${took.toFixed()} ms after the caller had left`);
    await sleep(1_400);
    assert.equal(scene.requests.length, 1, 'the pause ended with another request');
  });

  async function checkLeft(scene, attempts) {
    const record = await scene.record();
    assert.equal(record.outcome, 'client_cancelled');
    assert.equal(record.is_error, 0);
    assert.equal(record.variant, 'only');
    assert.equal(record.router, scene.name);
    scene.checkAttempts(record.attempts, attempts);
    await scene.checkUpstream(attempts.length);
  }
});

describe('a stream that drips passes whole', () => {
  for (const [kind, body] of Object.entries(STREAMS)) {
    test(`byte by byte, after another target failed, ${kind}`, async () => {
      const { script, ...answered } = good(kind, 'slowly');
      const bytes = [...Buffer.from(script.chunks.join(''))].flatMap((byte, at) => (at % 8 ? [Buffer.from([byte])] : [pause(1), Buffer.from([byte])]));
      const scene = stage.scene({ a: DOWN, b: sse(bytes) }, { failover: { ttft_timeout: '5s' } });
      await scene.checkServed(await scene.call(body), { ...answered, attempts: ['a:503', 'b:200'] });
    });
  }
});
