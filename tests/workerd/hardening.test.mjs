// What an upstream or a caller may do at the worst moment: heads that cannot be passed on, callers who leave before
// anything was sent, answers larger than memory, refusals that show a key. Each costs its own call at the most.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, beforeEach, describe } from 'node:test';
import { call, callTo, openCall } from './client.mjs';
import { startWorker, test, workerFor } from './harness.mjs';
import { DONE, UPSTREAM_KEY, completion, delta, event, gate, gatewayTo, json, routerOf, sse, stall, startUpstream, usageChunk } from './upstream.mjs';

const NATIVE = { stream: true, stream_options: { include_usage: true } };
const FILTERED = { stream: true };
const kinds = { 'not streamed': {}, 'native stream': NATIVE, 'filtered stream': FILTERED };
const streamed = { 'usage asked for by the caller': NATIVE, 'usage asked for by us': FILTERED };
const ROUTER = routerOf({ only: ['local/m1', 100] });

let upstream;
let worker;

before(async () => {
  upstream = await startUpstream();
  worker = await startWorker({ kv: { gateway: gatewayTo(upstream), 'router:hard': ROUTER } });
});

after(async () => {
  try {
    await worker?.stop();
  } finally {
    await upstream?.close(); // else its connections keep this process alive
  }
});

beforeEach(() => upstream.reset());

/** Two streams that began before `during` and end after it; both must be whole. */
async function besideStreams(during) {
  const rest = gate();
  const bystanders = [];
  for (const options of Object.values(streamed)) {
    upstream.next(sse([event(delta('before')), rest, event(delta('after')), event(usageChunk()), DONE]));
    const open = openCall(worker, callTo('turnout/hard', options));
    await upstream.take();
    await open.seen('before');
    bystanders.push(open);
  }
  try {
    await during();
  } finally {
    rest.open();
  }
  for (const open of bystanders) {
    const answer = await open.end;
    assert.ok(answer.complete && answer.text.includes(event(delta('after'))) && answer.text.endsWith(DONE), `a bystander was cut: ${answer.text}`);
    const record = await worker.record(answer);
    assert.equal(record.outcome, 'ok');
    assert.equal(record.output_tokens, 3);
  }
}

/** The record of `answer`, and that it is the only one that was written since `count` were there. */
async function onlyRecord(answer, count) {
  const record = await worker.record(answer);
  await worker.record(await call(worker, callTo('turnout/hard'))); // comes after any that might have been written twice
  assert.equal(worker.points().length, count + 2, 'a call left other than one record');
  return record;
}

describe('a head that cannot be passed on costs its own call alone', () => {
  const heads = {
    600: { ...json({ error: { message: 'x' } }), status: 600 },
    999: { ...json({ error: { message: 'x' } }), status: 999 },
    '600 with a stream': { ...sse([event(delta('x')), DONE]), status: 600 },
    '999 without a body': { status: 999, body: '' },
  };
  for (const [name, head] of Object.entries(heads)) {
    for (const [kind, options] of Object.entries(kinds)) {
      test(`${name} is 502 upstream_unreachable, ${kind}`, () => besideStreams(async () => {
        const count = worker.points().length;
        upstream.next(head);
        const answer = await call(worker, callTo('turnout/hard', options));
        assert.equal(answer.status, 502, answer.text);
        assert.equal(answer.json.error.code, 'upstream_unreachable');
        assert.equal(answer.headers['x-turnout-variant'], 'only');
        const record = await onlyRecord(answer, count);
        assert.equal(record.error_kind, 'upstream_unreachable');
        assert.equal(record.is_error, 1);
      }));
    }
  }

  for (const [kind, options] of Object.entries(kinds)) {
    for (const status of [200, 204]) {
      test(`a stream of events without a byte is no answer: ${status}, ${kind}`, () => besideStreams(async () => {
        const count = worker.points().length;
        upstream.next({ status, headers: { 'content-type': 'text/event-stream' }, body: '' });
        const answer = await call(worker, callTo('turnout/hard', options));
        assert.equal(answer.status, 502, answer.text);
        assert.equal(answer.json.error.code, 'upstream_unreachable');
        const record = await onlyRecord(answer, count);
        assert.equal(record.outcome, 'cut');
        assert.match(record.attempts, new RegExp(`^local/m1:${status}-cut:`));
      }));
    }
  }
});

describe('a redirect is not for the caller', () => {
  for (const status of [300, 301, 302, 303, 307, 308]) {
    for (const [kind, options] of Object.entries({ 'not streamed': {}, streamed: FILTERED })) {
      test(`${status} is 502 and has no location, ${kind}`, async () => {
        const location = `${upstream.origin}/elsewhere`;
        upstream.next({ status, headers: { location, 'content-type': 'text/html' }, body: `<a href="${location}">there</a>` });
        const answer = await call(worker, callTo('turnout/hard', options));
        assert.equal(answer.status, 502, answer.text);
        assert.equal(answer.headers.location, undefined);
        assert.equal(typeof answer.json.error.code, 'string');
        assert.equal((await worker.record(answer)).is_error, 1);
        await upstream.take();
        assert.equal(upstream.untaken, 0, 'the redirect was followed');
      });
    }
  }
});

describe('a caller who leaves before the upstream call is sent', () => {
  for (const [kind, options] of Object.entries(kinds)) {
    test(`leaves none open, and one record: ${kind}`, async (t) => {
      const cold = await workerFor(t, { vars: { CONFIG_TTL_SECONDS: '3600' }, kv: { gateway: gatewayTo(upstream), 'router:slow': ROUTER, 'router:warm': ROUTER } });
      await call(cold, callTo('turnout/warm'));
      await upstream.take();
      await cold.recordNumber(0);
      const held = cold.kv.hold(({ op, key }) => op === 'get' && key === 'router:slow');
      upstream.next(options.stream ? sse([': wait\n\n', stall]) : { headersAfter: stall, body: '' });
      const open = openCall(cold, callTo('turnout/slow', { user: 'leaver', ...options }));
      await held.seen;
      open.leave();
      // workerd hears of it in a moment; nothing that could be seen from here says when.
      await new Promise((done) => setTimeout(done, 200));
      held.release();
      const record = await cold.recordNumber(1);
      assert.equal(record.outcome, 'client_cancelled');
      assert.equal(record.is_error, 0);
      assert.equal(record.router, 'slow');
      assert.equal(record.variant, 'only');
      if (upstream.untaken > 0) await (await upstream.take()).cancelled();
      upstream.reset();
      const later = await call(cold, callTo('turnout/slow'));
      assert.equal(later.status, 200, later.text);
      await cold.record(later);
      assert.equal(cold.points().length, 3, 'the caller who left has other than one record');
    });
  }
});

describe('a large native stream lies in no memory', { skip: !existsSync('/proc/self/status') && 'there is no /proc here' }, () => {
  const PIECE = event(delta('z'.repeat(64 * 1024)));
  const PIECES = 940; // 62 MB
  const GROWTH_MB = 100;

  const residentMb = (pid) => Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

  const readers = {
    fast: () => {},
    // A pause after each 500 KB: far slower than the upstream sends.
    slow: (response) => {
      let unread = 0;
      response.on('data', (part) => {
        unread += part.length;
        if (unread < 500_000) return;
        unread = 0;
        response.pause();
        setTimeout(() => response.resume(), 25);
      });
    },
  };
  for (const [name, read] of Object.entries(readers)) {
    test(`60 MB to a ${name} reader`, async (t) => {
      const fresh = await workerFor(t, { kv: { gateway: gatewayTo(upstream), 'router:hard': ROUTER } });
      // What any stream costs at first, code and stacks, is none of the growth.
      upstream.next(sse([...Array(20).fill(PIECE), event(usageChunk()), DONE]));
      await fresh.record(await call(fresh, callTo('turnout/hard', NATIVE)));

      const atFirst = residentMb(fresh.pid);
      let most = atFirst;
      const watching = setInterval(() => { most = Math.max(most, residentMb(fresh.pid)); }, 10);
      upstream.next(sse([...Array(PIECES).fill(PIECE), event(usageChunk()), DONE]));
      const open = openCall(fresh, callTo('turnout/hard', NATIVE));
      const answer = await open.head.then((response) => { read(response); return open.end; }).finally(() => clearInterval(watching));
      assert.ok(answer.complete);
      assert.ok(answer.body.equals(Buffer.from(PIECE.repeat(PIECES) + event(usageChunk()) + DONE)), 'the bytes differ');
      const record = await fresh.record(answer);
      assert.equal(record.outcome, 'ok');
      t.diagnostic(`workerd grew from ${atFirst.toFixed()} to ${most.toFixed()} MB`);
      assert.ok(most - atFirst < GROWTH_MB, `workerd grew from ${atFirst.toFixed()} to ${most.toFixed()} MB`);
    });
  }
});

describe('a refusal of the upstream', () => {
  const refusal = (message) => ({ error: { message, type: 'permission_error', code: 'region_blocked' } });

  for (const [kind, options] of Object.entries({ 'not streamed': {}, streamed: FILTERED })) {
    for (const status of [401, 402, 403]) {
      test(`${status} is ours to answer for: 502 upstream_credentials, ${kind}`, async () => {
        upstream.next(json(refusal('This is not for your account.'), { status }));
        const answer = await call(worker, callTo('turnout/hard', options));
        assert.equal(answer.status, 502, answer.text);
        assert.equal(answer.json.error.code, 'upstream_credentials');
        assert.ok(!answer.text.includes('your account.'), answer.text);
        const record = await worker.record(answer);
        assert.equal(record.outcome, 'upstream_error');
        assert.equal(record.error_kind, 'upstream_credentials');
        assert.match(record.attempts, new RegExp(`^local/m1:${status}:`));
      });
    }
  }

  for (const status of [400, 403, 404, 429, 500]) {
    test(`${status} that shows our key does not show it to the caller`, async () => {
      upstream.next(json(refusal(`The key ${UPSTREAM_KEY} may not do this; Bearer ${UPSTREAM_KEY}.`), { status }));
      const answer = await call(worker, callTo('turnout/hard'));
      assert.ok(answer.status >= 400, String(answer.status));
      assert.ok(!answer.text.includes(UPSTREAM_KEY), `the key is shown: ${answer.text}`);
      assert.equal(typeof answer.json.error.message, 'string');
      assert.ok(answer.complete);
      assert.equal((await worker.record(answer)).is_error, 1);
      assert.ok(!worker.log().includes(UPSTREAM_KEY));
    });
  }
});

describe('a stream that was delivered whole is well, whoever closes first', () => {
  for (const [name, options] of Object.entries(streamed)) {
    test(`the caller leaves after [DONE], ${name}`, async () => {
      const count = worker.points().length;
      upstream.next(sse([event(delta('Hi')), event(usageChunk()), DONE, stall]));
      const open = openCall(worker, callTo('turnout/hard', options));
      await open.seen(DONE);
      open.leave();
      await (await upstream.take()).cancelled();
      const record = await worker.recordNumber(count);
      assert.equal(record.output_tokens, 3);
      assert.equal(record.outcome, 'ok');
      assert.equal(record.is_error, 0);
    });
  }
});

describe('a streamed call is answered with events, whatever they are called', () => {
  const types = { 'text/plain': { 'content-type': 'text/plain' }, 'application/octet-stream': { 'content-type': 'application/octet-stream' }, none: {} };
  for (const [type, headers] of Object.entries(types)) {
    for (const [name, options] of Object.entries(streamed)) {
      test(`${type}, ${name}`, async () => {
        const pieces = ['one', 'two', 'three'].map((word) => event(delta(word)));
        const gates = pieces.map(() => gate());
        upstream.next({ headers, chunks: [...pieces.flatMap((piece, at) => [gates[at], piece]), DONE] });
        const open = openCall(worker, callTo('turnout/hard', options));
        for (const [at, piece] of pieces.entries()) {
          gates[at].open();
          await open.seen(piece);
        }
        const answer = await open.end;
        assert.equal(answer.status, 200);
        assert.equal(answer.text, pieces.join('') + DONE);
        assert.ok(answer.complete);
        assert.equal(answer.headers['content-type'], headers['content-type']);
        assert.equal((await worker.record(answer)).outcome, 'ok');
      });

      test(`what is none is no answer: ${type}, ${name}`, async () => {
        upstream.next({ headers, chunks: ['one', 'two', 'three'] });
        const answer = await call(worker, callTo('turnout/hard', options));
        assert.equal(answer.status, 502, answer.text);
        assert.equal(answer.json.error.code, 'upstream_unreachable');
        assert.equal((await worker.record(answer)).outcome, 'cut');
      });
    }
  }

  test('a call that is not streamed is read whole, whatever it is called', async () => {
    upstream.next({ ...json(completion('x')), headers: { 'content-type': 'text/plain' } });
    const answer = await call(worker, callTo('turnout/hard'));
    assert.equal(answer.status, 200);
    assert.equal((await worker.record(answer)).output_tokens, 3);
  });
});
