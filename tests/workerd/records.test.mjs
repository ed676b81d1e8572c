// Laws 5 and 7 in a real workerd: one record a call, what it says, and what it never says.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { call, callTo, get } from './client.mjs';
import { tokens } from './columns.mjs';
import { CF_HEADER, ROOT, UNIT_HASH_KEY, startWorker, test, workerFor } from './harness.mjs';
import {
  DONE, completion, delta, event, finishChunk, gate, gatewayTo, json, roleChunk, routerOf, sse, startUpstream, usageChunk,
} from './upstream.mjs';

const UNKNOWN = { input: null, cache_read: null, cache_write: null, output: null, reasoning: null };
const USAGE_ASKED = { stream: true, stream_options: { include_usage: true } };

let upstream;
let worker;
let documents;

before(async () => {
  upstream = await startUpstream();
  documents = {
    gateway: gatewayTo(upstream, { local: [], openai: [] }),
    'router:recorded': routerOf({ only: ['local/m1', 100] }),
    'router:as-asked': routerOf({ only: ['local/m1', 100] }, { usage: 'as_asked' }),
    'router:no-secret': routerOf({ only: ['groq/m', 100] }),
  };
  worker = await startWorker({ kv: documents });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

/** A call and its record. */
async function recorded(body, options) {
  const answer = await call(worker, body, options);
  return { answer, record: await worker.record(answer) };
}

/** The formula of DESIGN, computed here as a warehouse would. */
function unitHash(kind, unit, key = UNIT_HASH_KEY) {
  const lp = (text) => {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  return createHmac('sha256', key).update(Buffer.concat([lp('turnout/unit/1'), lp(kind), lp(unit)])).digest('hex').slice(0, 32);
}

describe('the columns', () => {
  test('of a routed call', async () => {
    const headers = { [CF_HEADER]: JSON.stringify({ country: 'CZ', colo: 'PRG' }) };
    const { answer, record } = await recorded(callTo('turnout/recorded', { user: 'user-123' }), { headers });
    assert.equal(record.index, 'recorded/default/only');
    const expected = {
      router: 'recorded', revision: answer.headers['x-turnout-revision'], route: 'default', variant: 'only', provider: 'local',
      model: 'm1', dialect_in: 'openai', dialect_out: 'openai', outcome: 'ok', status: '200', error_kind: '', country: 'CZ',
      colo: 'PRG', unit_hash: unitHash('user', 'user-123'), unit_kind: 'user', request_id: answer.headers['x-turnout-request-id'],
      attempts: answer.headers['x-turnout-attempts'], key_id: 'admin', schema_version: '1', attempt_count: 1, streamed: 0, is_error: 0,
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(record[name], value, name);
    assert.match(record.epoch, /^[0-9a-f]{16}$/);
    assert.match(record.attempts, /^local\/m1:200:\d+ms$/);
    assert.deepEqual(tokens(record), { ...UNKNOWN, input: 9, output: 3 });
    assert.ok(record.latency_ms >= record.overhead_ms && record.overhead_ms >= 0);
  });

  test('of a direct call', async () => {
    const { record } = await recorded(callTo('local/m9'));
    assert.equal(record.index, '@direct/local');
    for (const name of ['router', 'revision', 'route', 'variant', 'epoch']) assert.equal(record[name], '', name);
    assert.equal(record.provider, 'local');
    assert.equal(record.model, 'm9');
    assert.equal(record.unit_kind, 'call');
    assert.equal(record.unit_hash, '');
  });

  test('a call that is refused for want of a secret is recorded', async () => {
    const { answer, record } = await recorded(callTo('turnout/no-secret', { user: 'u' }));
    assert.equal(answer.status, 502);
    assert.equal(record.outcome, 'refused');
    assert.equal(record.error_kind, 'upstream_credentials');
    assert.equal(record.variant, 'only');
    assert.equal(record.attempt_count, 0);
    assert.equal(record.is_error, 1);
  });

  test('what is no decided call leaves no record', async () => {
    const count = worker.points().length;
    await get(worker, '/healthz');
    await get(worker, '/v1/models');
    await call(worker, '{');
    await call(worker, callTo('turnout/recorded'), { key: 'wrong' });
    await call(worker, callTo('turnout/nowhere'));
    await recorded(callTo('turnout/recorded')); // its record comes after any that those might have written
    assert.equal(worker.points().length, count + 1);
  });

  test('the epoch is of the arms and weights', async () => {
    worker.kv.put('router:epoch-1', routerOf({ a: ['local/m1', 50], b: ['local/m2', 50] }, { default_route: { salt: 's' } }));
    worker.kv.put('router:epoch-2', routerOf({ b: ['local/m2', 50], a: ['local/m1', 50] }, { display_name: 'another', default_route: { salt: 's' } }));
    worker.kv.put('router:epoch-3', routerOf({ a: ['local/m1', 60], b: ['local/m2', 40] }, { default_route: { salt: 's' } }));
    worker.kv.put('router:epoch-4', routerOf({ a: ['local/m3', 50], b: ['local/m2', 50] }, { default_route: { salt: 's' } }));
    const epochs = [];
    for (const at of [1, 2, 3, 4]) epochs.push((await recorded(callTo(`turnout/epoch-${at}`))).record.epoch);
    assert.equal(epochs[0], epochs[1], 'the order of variants made another epoch');
    assert.equal(new Set(epochs).size, 3, epochs.join());
  });
});

describe('the unit', () => {
  const cases = [
    ['user', { user: 'user-123' }, {}],
    ['user', { user: '用户-😀' }, {}],
    ['user', { safety_identifier: 's' }, {}],
    ['session', {}, { 'x-session-id': 'user-123' }],
  ];
  for (const [kind, body, headers] of cases) {
    const id = Object.values({ ...headers, ...body })[0];
    test(`${kind} ${id} is a keyed hash`, async () => {
      const { record } = await recorded(callTo('turnout/recorded', body), { headers });
      assert.equal(record.unit_kind, kind);
      assert.equal(record.unit_hash, unitHash(kind, id));
    });
  }

  test('the golden vectors are those of the formula here', () => {
    const { unit_hash: vectors } = JSON.parse(readFileSync(`${ROOT}/tests/fixtures/assignment.json`));
    for (const { key, kind, unit, hash } of vectors) assert.equal(unitHash(kind, unit, key), hash);
  });

  test('without UNIT_HASH_KEY the key is empty', async (t) => {
    const keyless = await workerFor(t, { vars: { UNIT_HASH_KEY: undefined }, kv: documents });
    const answer = await call(keyless, callTo('turnout/recorded', { user: 'user-123' }));
    assert.equal((await keyless.record(answer)).unit_hash, unitHash('user', 'user-123', ''));
  });

  test('nothing of the caller\'s is in the record, the log or the request id', async () => {
    const secrets = ['raw-user-name', 'raw-prompt-text', 'raw-metadata-value', 'raw-session-id', 'raw-completion-text', 'raw-header-user'];
    const body = callTo('turnout/recorded', {
      user: secrets[0], messages: [{ role: 'user', content: secrets[1] }], metadata: { secret: secrets[2] },
    });
    const headers = { 'x-session-id': secrets[3], 'x-turnout-user': secrets[5] };
    for (const script of [
      json(completion(secrets[4])),
      json({ error: { message: `About ${secrets[4]}`, type: 'invalid_request_error', code: 'context_length_exceeded' } }, { status: 400 }),
      sse([event(delta(secrets[4])), event({ error: { message: secrets[4], code: 'broke' } })]),
    ]) {
      upstream.next(script);
      const { answer } = await recorded(body, { headers });
      const id = Buffer.from(answer.headers['x-turnout-request-id'], 'base64url').toString('latin1');
      for (const secret of secrets) {
        assert.ok(!JSON.stringify(worker.points()).includes(secret), secret);
        assert.ok(!worker.log().includes(secret), secret);
        assert.ok(!id.includes(secret), secret);
      }
    }
  });
});

describe('usage', () => {
  const full = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150, prompt_tokens_details: { cached_tokens: 60 }, completion_tokens_details: { reasoning_tokens: 20 } };
  const counted = { input: 40, cache_read: 60, cache_write: null, output: 50, reasoning: 20 };

  test('of a JSON answer', async () => {
    upstream.next(json(completion('x', { usage: full })));
    assert.deepEqual(tokens((await recorded(callTo('turnout/recorded'))).record), counted);
  });

  test('a JSON answer without usage: unknown, not 0', async () => {
    upstream.next(json({ ...completion('x'), usage: undefined }));
    assert.deepEqual(tokens((await recorded(callTo('turnout/recorded'))).record), UNKNOWN);
  });

  test('a usage of zeroes is known', async () => {
    upstream.next(json(completion('x', { usage: { prompt_tokens: 7, completion_tokens: 0, total_tokens: 7 } })));
    const { record } = await recorded(callTo('turnout/recorded'));
    assert.equal(record.output_tokens, 0);
    assert.equal(record.output_known, 1);
  });

  const streams = {
    'asked for by the caller': ['turnout/recorded', USAGE_ASKED, [event(usageChunk(full))], counted],
    'asked for by us': ['turnout/recorded', { stream: true }, [event(usageChunk(full))], counted],
    'that comes unasked beside choices': ['turnout/as-asked', { stream: true }, [event(finishChunk({ usage: full }))], counted],
    'in x_groq': ['turnout/recorded', { stream: true }, [event(finishChunk({ x_groq: { id: 'x', usage: full } }))], counted],
    'not asked for': ['turnout/as-asked', { stream: true }, [], UNKNOWN],
    'that never comes': ['turnout/recorded', { stream: true }, [], UNKNOWN],
  };
  for (const [name, [model, options, extra, expected]] of Object.entries(streams)) {
    test(`of a stream, ${name}`, async () => {
      upstream.next(sse([event(roleChunk()), event(delta('Hi')), ...extra, DONE]));
      const { record } = await recorded(callTo(model, options));
      assert.deepEqual(tokens(record), expected);
      assert.equal(record.outcome, 'ok');
      assert.equal(record.streamed, 1);
    });
  }
});

describe('times', () => {
  for (const [name, options] of Object.entries({ native: USAGE_ASKED, filtered: { stream: true } })) {
    test(`the first token is the first that means something, and the end is the end: ${name}`, async () => {
      const [first, rest] = [gate(), gate()];
      upstream.next(sse([event(roleChunk()), first, event(delta('Hi')), rest, event(finishChunk()), event(usageChunk()), DONE]));
      const answer = call(worker, callTo('turnout/recorded', options));
      await upstream.take();
      setTimeout(() => first.open(), 300);
      setTimeout(() => rest.open(), 1100);
      const record = await worker.record(await answer);
      assert.equal(record.ttft_known, 1);
      assert.ok(record.ttft_ms >= 280, `first token after ${record.ttft_ms} ms`);
      assert.ok(record.latency_ms - record.ttft_ms >= 600, `end after ${record.latency_ms} ms, first token after ${record.ttft_ms}`);
      assert.ok(record.overhead_ms < 280, `overhead ${record.overhead_ms} ms`);
    });

    test(`a stream without a token has no time to the first: ${name}`, async () => {
      upstream.next(sse([event(roleChunk()), event(finishChunk()), DONE]));
      assert.equal((await recorded(callTo('turnout/recorded', options))).record.ttft_ms, null);
    });

    test(`a tool call is a first token: ${name}`, async () => {
      upstream.next(sse([event({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'c', function: { name: 'f', arguments: '' } }] } }] }), DONE]));
      assert.equal((await recorded(callTo('turnout/recorded', options))).record.ttft_known, 1);
    });
  }

  test('an answer that is no stream has no time to the first token', async () => {
    assert.equal((await recorded(callTo('turnout/recorded'))).record.ttft_ms, null);
  });
});

describe('kinds of errors', () => {
  const cases = {
    'the upstream\'s code': [json({ error: { message: 'm', type: 't', code: 'rate_limit_exceeded' } }, { status: 429 }), 'rate_limit_exceeded'],
    'its type where there is no code': [json({ error: { message: 'm', type: 'overloaded_error', code: null } }, { status: 529 }), 'overloaded_error'],
    'an error in a 200': [json({ error: { message: 'm', code: 'moderated' } }), 'moderated'],
  };
  for (const [name, [script, kind]] of Object.entries(cases)) {
    test(name, async () => {
      upstream.next(script);
      const { record } = await recorded(callTo('turnout/recorded'));
      assert.equal(record.error_kind, kind);
      assert.equal(record.outcome, script.status === 200 ? 'in_band_error' : 'upstream_error');
      assert.equal(record.is_error, 1);
    });
  }

  test('an error that is no JSON has no kind, and is an error all the same', async () => {
    upstream.next({ status: 503, headers: { 'content-type': 'text/html' }, body: '<html>' });
    const { record } = await recorded(callTo('turnout/recorded'));
    assert.equal(record.outcome, 'upstream_error');
    assert.equal(record.status, '503');
  });
});

test('ids at their longest stay within the limits of a point', async () => {
  // The metrics server checks the limits of every point.
  const [router, route, variant] = ['r'.repeat(63), 'R'.repeat(96), 'v'.repeat(96)];
  worker.kv.put(`router:${router}`, routerOf({ [variant]: [`local/${'m'.repeat(250)}`, 100] }, { default_route: { route_id: route } }));
  const { answer, record } = await recorded(callTo(`turnout/${router}`, { user: 'u'.repeat(2000) }));
  assert.equal(answer.status, 200, answer.text);
  assert.equal(record.router, router);
  assert.equal(record.route, route);
  assert.equal(record.variant, variant);
});

test('fifty calls at once leave fifty records, each its own', async () => {
  const many = Array.from({ length: 50 }, async (_, at) => {
    const { record } = await recorded(callTo('turnout/recorded', { user: `at-once-${at}` }));
    assert.equal(record.unit_hash, unitHash('user', `at-once-${at}`));
  });
  await Promise.all(many);
});

describe('recordings of real providers', () => {
  const corpus = ['../shared/corpus', '../../shared/corpus'].map((path) => join(ROOT, path)).find(existsSync);
  if (!corpus) console.error('SKIPPED: the recordings of real providers (../shared/corpus) are not here');

  // What each recording says, read by eye: input without cache, read from cache, output with reasoning, reasoning.
  const said = {
    'groq/groq-reasoning.chunks.txt': [17, null, 1107, 963],
    'groq/groq-tool-call.chunks.txt': [210, null, 15, null],
    'mistral/mistral-incremental-tool-call.chunks.txt': [43, 128, 14, null],
    'mistral/mistral-reasoning.chunks.txt': [10, null, 46, null],
    'mistral/mistral-text.chunks.txt': [13, null, 8, null],
    'perplexity/perplexity-citations.chunks.txt': [10, null, 336, null],
    'perplexity/perplexity-text.chunks.txt': [11, null, 434, null],
    'openai-compatible/xai-tool-call.chunks.txt': [1, 306, 253, 227],
    'openai-compatible/anthropic-fallback-tool-call.sse': [null, null, null, null],
    'azure/azure-deepseek-reasoning.1.chunks.txt': [19, null, 1720, 0],
    'groq/groq-reasoning.json': [17, null, 649, 570],
    'groq/groq-tool-call.json': [218, null, 15, null],
    'mistral/mistral-reasoning.json': [10, null, 46, null],
    'mistral/mistral-text.json': [13, null, 434, null],
    'perplexity/perplexity-citations.json': [10, null, 251, null],
    'perplexity/perplexity-text.json': [11, null, 392, null],
    'moonshotai/moonshotai-reasoning.json': [10, 10, 30, 22],
    'moonshotai/moonshotai-text.json': [9, null, 5, null],
    'moonshotai/moonshotai-tool-call.json': [30, null, 12, null],
    'openai-compatible/xai-tool-call.json': [63, 244, 281, 255],
    'openai/reasoning-model-legacy-parameter-error.json': [null, null, null, null],
    'azure/azure-deepseek-reasoning.1.json': [19, null, 1969, null],
  };

  /** A recording as a script, and the events that make it up. */
  function replay(name) {
    const text = readFileSync(join(corpus, name), 'utf8');
    if (name.endsWith('.json')) return { script: json(text, { status: name.includes('error') ? 400 : 200 }), events: [text] };
    const events = name.endsWith('.sse')
      ? text.split(/(?<=\n\n)/)
      : [...text.split('\n').filter(Boolean).map((line) => event(line)), DONE];
    return { script: sse(events), events };
  }

  const isUsageChunk = (one) => {
    if (!one.startsWith('data: {')) return false;
    const { choices, usage } = JSON.parse(one.slice(6));
    return choices?.length === 0 && usage !== null && typeof usage === 'object';
  };

  for (const [name, [input, cache_read, output, reasoning]] of Object.entries(said)) {
    const streamed = !name.endsWith('.json');
    for (const options of streamed ? [USAGE_ASKED, { stream: true }] : [{}]) {
      const how = options.stream_options ? ', usage asked for by the caller' : streamed ? ', usage asked for by us' : '';
      test(`${name}${how}`, (t) => {
        if (!corpus) return t.skip('the recordings are not here');
        return check();
      });
      const check = async () => {
        const { script, events } = replay(name);
        upstream.next(script);
        const { answer, record } = await recorded(callTo('turnout/recorded', options));
        const expected = options.stream_options ? events : events.filter((one) => !streamed || !isUsageChunk(one));
        assert.ok(answer.body.equals(Buffer.from(expected.join(''))), 'the bytes differ');
        assert.deepEqual(tokens(record), { input, cache_read, cache_write: null, output, reasoning });
        assert.equal(record.outcome, script.status === 400 ? 'upstream_error' : 'ok');
      };
    }
  }
});
