// Laws 1 and 2 in a real workerd: which bytes go up, which come down, and when.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import OpenAI from 'openai';
import { call, callTo, eventually, openCall, sdk } from './client.mjs';
import { ADMIN_KEY, startWorker, test } from './harness.mjs';
import {
  DONE, UPSTREAM_KEY, closedPort, completion, delta, destroy, event, finishChunk, gate, gatewayTo, json, roleChunk, routerOf, sse,
  stall, startUpstream, usageChunk,
} from './upstream.mjs';

let upstream;
let worker;

before(async () => {
  upstream = await startUpstream();
  const gateway = gatewayTo(upstream, { local: ['m1'], openai: ['gpt-5'], openrouter: [] });
  gateway.downstreams.push({ id: 'nobody', base_url: `http://127.0.0.1:${await closedPort()}/v1`, api_key: UPSTREAM_KEY, output_model_ids: [] });
  worker = await startWorker({
    vars: { MAX_BODY_BYTES: String(32 * 1024 * 1024) },
    kv: {
      gateway,
      'router:relay': routerOf({ only: ['local/m1', 100] }),
      'router:as-asked': routerOf({ only: ['local/m1', 100] }, { usage: 'as_asked' }),
      'router:nobody': routerOf({ only: ['nobody/m1', 100] }),
    },
  });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

beforeEach(() => upstream.reset());

describe('the request body is the caller\'s bytes but for the named splices', () => {
  const cases = {
    'only the model': {
      sent: '{"model":"turnout/relay","messages":[]}',
      received: '{"model":"m1","messages":[]}',
    },
    'whitespace, key order, spelling of numbers, escapes and unknown fields stay': {
      sent: '{ "zeta" : 1.0,\n\t"temperature": 1E+2 , "model" :  "turnout/relay",\r\n "messages":[ { "content":"\\u00e9\\/é😀", "role":"user", "cache_control" : {"ttl":"1h","type":"ephemeral"} } ],"big":12345678901234567890.10,"alpha":{"b":1,"a":-0.0}, "n":null }',
      received: '{ "zeta" : 1.0,\n\t"temperature": 1E+2 , "model" :  "m1",\r\n "messages":[ { "content":"\\u00e9\\/é😀", "role":"user", "cache_control" : {"ttl":"1h","type":"ephemeral"} } ],"big":12345678901234567890.10,"alpha":{"b":1,"a":-0.0}, "n":null }',
    },
    'metadata goes, wherever it stands': {
      sent: '{"metadata":{"tier":"gold"},"model":"turnout/relay","messages":[]}',
      received: '{"model":"m1","messages":[]}',
    },
    'metadata goes as the last member': {
      sent: '{"model":"turnout/relay","messages":[],"metadata":{"tier":"gold","deep":{"model":"x"}}}',
      received: '{"model":"m1","messages":[]}',
    },
    'what is ours goes': {
      sent: '{"extra_body":{"metadata":{"a":1}},"models":["local/m2"],"model":"turnout/relay","fallback":{"ttft_timeout":"1s"},"ignore":["x"],"sort":["price"],"messages":[],"provider":{"order":["x"]},"prompt_variables":{"a":"b"}}',
      received: '{"model":"m1","messages":[]}',
    },
    'what is the dialect\'s stays': {
      sent: '{"model":"turnout/relay","user":"u-1","safety_identifier":"s-1","prompt_cache_key":"p-1","store":false,"messages":[]}',
      received: '{"model":"m1","user":"u-1","safety_identifier":"s-1","prompt_cache_key":"p-1","store":false,"messages":[]}',
    },
    'a field of ours is ours at the top alone': {
      sent: '{"model":"turnout/relay","messages":[{"role":"user","content":"x","metadata":{"a":1},"models":[1]}],"tools":[{"provider":1}]}',
      received: '{"model":"m1","messages":[{"role":"user","content":"x","metadata":{"a":1},"models":[1]}],"tools":[{"provider":1}]}',
    },
    'a model named in escapes': {
      sent: '{"\\u006dodel":"turnout\\/relay","messages":[]}',
      received: '{"\\u006dodel":"m1","messages":[]}',
    },
    'a stream whose caller asked for usage': {
      sent: '{"model":"turnout/relay","stream":true,"stream_options":{"include_usage":true},"messages":[]}',
      received: '{"model":"m1","stream":true,"stream_options":{"include_usage":true},"messages":[]}',
    },
    'a stream of a router that leaves usage as asked': {
      sent: '{"model":"turnout/as-asked","stream":true,"messages":[]}',
      received: '{"model":"m1","stream":true,"messages":[]}',
    },
    'metadata goes on to OpenAI with store': {
      sent: '{"model":"openai/gpt-5","store":true,"metadata":{"a":"1"},"messages":[]}',
      received: '{"model":"gpt-5","store":true,"metadata":{"a":"1"},"messages":[]}',
    },
    'models and provider are OpenRouter\'s own in a direct call to it': {
      sent: '{"model":"openrouter/a/b","models":["c/d"],"provider":{"order":["x"]},"messages":[]}',
      received: '{"model":"a/b","models":["c/d"],"provider":{"order":["x"]},"messages":[]}',
    },
  };
  for (const [name, { sent, received }] of Object.entries(cases)) {
    test(name, async () => {
      const answer = await call(worker, sent);
      assert.equal(answer.status, 200, answer.text);
      assert.equal((await upstream.take()).text, received);
    });
  }

  // Where the member is put is not laid down; that nothing else changes is.
  const asked = {
    'no stream_options': ['{"model":"turnout/relay","stream":true,"messages":[]}', '{"model":"m1","stream":true,"messages":[]}'],
    'no stream_options, openai': ['{"model":"openai/gpt-5","stream":true,"messages":[]}', '{"model":"gpt-5","stream":true,"messages":[]}'],
  };
  for (const [name, [sent, rest]] of Object.entries(asked)) {
    test(`usage is asked for: ${name}`, async () => {
      upstream.next(sse([event(delta('x')), DONE]));
      const answer = await call(worker, sent);
      assert.equal(answer.status, 200, answer.text);
      const received = (await upstream.take()).text;
      const member = '"stream_options":{"include_usage":true}';
      assert.ok([`,${member}`, `${member},`].some((splice) => received.replace(splice, '') === rest), received);
    });
  }
  for (const options of ['{}', '{"include_obfuscation":false}', '{"include_usage":false,"x":1.0}', '{"x":1.0,"include_usage":null}', 'null']) {
    test(`usage is asked for: stream_options ${options}`, async () => {
      upstream.next(sse([event(delta('x')), DONE]));
      const answer = await call(worker, `{"model":"turnout/relay","stream":true,"stream_options":${options},"messages":[]}`);
      assert.equal(answer.status, 200, answer.text);
      const { json: received } = await upstream.take();
      assert.deepEqual(received.stream_options, { ...JSON.parse(options), include_usage: true });
    });
  }

  test('a body of 20 MB', async () => {
    const content = 'é"\\n'.repeat(4 * 1024 * 1024);
    const sent = JSON.stringify({ model: 'turnout/relay', messages: [{ role: 'user', content }] });
    const answer = await call(worker, sent);
    assert.equal(answer.status, 200, answer.text);
    const { body } = await upstream.take();
    assert.ok(body.length > 20e6);
    assert.ok(body.equals(Buffer.from(sent.replace('turnout/relay', 'm1'))), 'the bytes differ');
  });
});

describe('the response body is the upstream\'s bytes', () => {
  const odd = '{ "choices" : [ {"message":{"content":"\\u00e9\\/é😀"}} ],\r\n "x":1.0, "big":12345678901234567890.10 }\n\n';
  const noUtf8 = Buffer.concat([Buffer.from('{ "choices" : [ {"message":{"content":"'), Buffer.from([0xff, 0xfe, 0xc3]), Buffer.from('"}} ] }')]);
  const answers = {
    'plain JSON': json(completion('hello')),
    'JSON with odd spelling': json(odd),
    'JSON with bytes that are no UTF-8': json(noUtf8),
    'JSON of a form that nobody knows': json('{"answer":42}'),
    'JSON that calls itself something else': { headers: { 'content-type': 'text/plain' }, body: '{"choices":[{"message":{"content":"x"}}]}' },
    'JSON in chunks': { headers: { 'content-type': 'application/json' }, chunks: ['{"choices":[{"message"', ':{"content":"a"}}]', '}'] },
    'no content type': { body: '{"choices":[]}' },
    '3 MB': json(completion('y'.repeat(3_000_000))),
  };
  for (const [name, script] of Object.entries(answers)) {
    test(name, async () => {
      upstream.next(script);
      const answer = await call(worker, callTo('turnout/relay'));
      assert.equal(answer.status, script.status ?? 200, answer.text);
      const expected = Buffer.concat([script.body ?? script.chunks].flat().map((part) => Buffer.from(part)));
      assert.ok(answer.body.equals(expected), answer.text.slice(0, 500));
      assert.ok(answer.complete);
      if (script.headers?.['content-type']) assert.equal(answer.headers['content-type'], script.headers['content-type']);
      await worker.record(answer);
    });
  }

  const usageAsked = { stream: true, stream_options: { include_usage: true } };
  const events = [
    ': keep-alive\n\n', event(roleChunk()), event(delta('Hel')), event(delta('lo', { usage: null })), `event: x\nid: 7\nretry: 1\n${event({ odd: 1.0 })}`,
    event(finishChunk()), event(usageChunk()), DONE,
  ];
  const streams = {
    'a stream': [events, events],
    'a stream with CRLF': [events.map(crlf), events.map(crlf)],
    'a stream without [DONE]': [events.slice(0, -1), events.slice(0, -1)],
    'a stream in one piece': [[events.join('')], events],
    'a stream byte by byte': [[...Buffer.from(events.join(''))].map((byte) => Buffer.from([byte])), events],
  };
  for (const [name, [pieces, all]] of Object.entries(streams)) {
    test(`usage asked for by the caller: ${name}`, async () => {
      upstream.next(sse(pieces));
      const answer = await call(worker, callTo('turnout/relay', usageAsked));
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.text, all.join(''));
      assert.ok(answer.complete);
    });
    test(`usage asked for by us: ${name}`, async () => {
      upstream.next(sse(pieces));
      const answer = await call(worker, callTo('turnout/relay', { stream: true }));
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.text, all.filter((each) => !each.includes('"choices":[],"usage"')).join(''));
      assert.ok(answer.complete);
      assert.equal(answer.headers['content-type'], 'text/event-stream; charset=utf-8');
    });
  }

  const kept = {
    'a usage beside choices': event(finishChunk({ usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } })),
    'empty choices without a usage': event({ choices: [], prompt_filter_results: [{ prompt_index: 0 }] }),
    'empty choices with a null usage': event({ choices: [], usage: null }),
    'the words of a usage chunk as content': event(delta('"choices":[],"usage":{"prompt_tokens":1}')),
    'a usage chunk quoted in a comment': `: {"choices":[],"usage":{"prompt_tokens":1}}\n\n`,
  };
  for (const [name, one] of Object.entries(kept)) {
    test(`only a usage chunk is withheld: ${name} stays`, async () => {
      const sent = [one, event(delta('x')), one, event(usageChunk()), DONE];
      upstream.next(sse(sent));
      const answer = await call(worker, callTo('turnout/relay', { stream: true }));
      assert.equal(answer.text, [one, event(delta('x')), one, DONE].join(''));
    });
  }

  test('a stream of a router that leaves usage as asked keeps a usage that comes unasked', async () => {
    upstream.next(sse(events));
    const answer = await call(worker, callTo('turnout/as-asked', { stream: true }));
    assert.equal(answer.text, events.join(''));
  });

  for (const [name, body] of Object.entries({ JSON: {}, 'native stream': usageAsked, 'filtered stream': { stream: true } })) {
    test(`a gzipped upstream body fits its headers: ${name}`, async () => {
      const plain = body.stream ? [event(delta('Hi')), event(usageChunk()), DONE].join('') : JSON.stringify(completion('Hi'));
      upstream.next({ headers: { 'content-type': body.stream ? 'text/event-stream' : 'application/json', 'content-encoding': 'gzip' }, body: gzipSync(plain) });
      const answer = await call(worker, callTo('turnout/relay', body), { headers: { 'accept-encoding': 'gzip' } });
      assert.equal(answer.status, 200);
      const bytes = answer.headers['content-encoding'] === 'gzip' ? gunzipSync(answer.body) : answer.body;
      const expected = body.stream && !body.stream_options ? plain.replace(event(usageChunk()), '') : plain;
      assert.equal(bytes.toString(), expected);
      const record = await worker.record(answer);
      assert.equal(record.output_tokens, 3);
    });
  }

  test('a gzipped upstream body reaches a caller that takes no gzip', async () => {
    const plain = JSON.stringify(completion('Hi'));
    upstream.next({ headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }, body: gzipSync(plain) });
    const answer = await call(worker, callTo('turnout/relay'), { headers: { 'accept-encoding': 'identity' } });
    const bytes = answer.headers['content-encoding'] === 'gzip' ? gunzipSync(answer.body) : answer.body;
    assert.equal(bytes.toString(), plain);
  });
});

describe('a chunk reaches the caller before the next is sent', () => {
  const words = ['one', 'two', 'three', 'four', 'five', 'six'];
  for (const [name, options] of Object.entries({
    'usage asked for by the caller': { stream: true, stream_options: { include_usage: true } },
    'usage asked for by us': { stream: true },
  })) {
    test(name, async () => {
      const gates = words.map(() => gate());
      const pieces = words.flatMap((word, at) => [gates[at], event(delta(word))]);
      upstream.next(sse([...pieces, event(usageChunk()), DONE]));
      const open = openCall(worker, callTo('turnout/relay', options));
      for (const [at, word] of words.entries()) {
        gates[at].open();
        await open.seen(`"${word}"`);
      }
      const answer = await open.end;
      assert.ok(answer.text.endsWith(DONE));
    });
  }

  test('usage asked for by the caller: half an event too', async () => {
    const [first, second] = [gate(), gate()];
    upstream.next(sse([event(delta('one')), first, 'data: {"half', second, '":1}\n\n', DONE]));
    const open = openCall(worker, callTo('turnout/relay', { stream: true, stream_options: { include_usage: true } }));
    await open.seen('"one"');
    first.open();
    await open.seen('{"half');
    second.open();
    await open.end;
  });

  test('a slow trickle passes whole', async () => {
    const text = [roleChunk(), ...words.map((word) => delta(word)), usageChunk()].map((each) => event(each)).join('') + DONE;
    const pieces = [];
    for (let at = 0; at < text.length; at += 40) {
      pieces.push(text.slice(at, at + 40), { then: (done) => setTimeout(done, 5) });
    }
    upstream.next(sse(pieces));
    const answer = await call(worker, callTo('turnout/relay', { stream: true, stream_options: { include_usage: true } }));
    assert.equal(answer.text, text);
    assert.equal((await worker.record(answer)).output_tokens, 3);
  });

  test('a stream of 3,000 events passes whole, and its usage is read', async () => {
    const pieces = Array.from({ length: 3000 }, (_, at) => event(delta(`word ${at}`)));
    for (const options of [{ include_usage: true }, undefined]) {
      upstream.next(sse([pieces.join(''), event(usageChunk()), DONE]));
      const answer = await call(worker, callTo('turnout/relay', { stream: true, stream_options: options }));
      assert.equal(answer.text, pieces.join('') + (options ? event(usageChunk()) : '') + DONE);
      assert.equal((await worker.record(answer)).output_tokens, 3);
    }
  });
});

describe('streams larger than is held of them', () => {
  for (const [name, options] of Object.entries({ native: { include_usage: true }, filtered: undefined })) {
    test(`20 MB pass whole to a caller who reads late, ${name}`, async () => {
      const piece = event(delta('z'.repeat(64 * 1024)));
      const pieces = Array.from({ length: 320 }, () => piece);
      upstream.next(sse([...pieces, event(usageChunk()), DONE]));
      const open = openCall(worker, callTo('turnout/relay', { stream: true, stream_options: options }));
      const response = await open.head;
      response.pause();
      await new Promise((done) => setTimeout(done, 500));
      response.resume();
      const answer = await open.end;
      assert.ok(answer.body.equals(Buffer.from(pieces.join('') + (options ? event(usageChunk()) : '') + DONE)), 'the bytes differ');
      const record = await worker.record(answer);
      assert.equal(record.outcome, 'ok');
      // Beyond what is held the usage may be unknown; it is never wrong.
      assert.ok([3, null].includes(record.output_tokens), String(record.output_tokens));
    });
  }
});

describe('the caller going away cancels the upstream, and is recorded as no error', () => {
  const usageAsked = { stream: true, stream_options: { include_usage: true } };
  const pieces = [event(delta('begin')), stall];
  const cases = {
    'before the head, not streamed': { script: { headersAfter: stall, body: '' }, body: {} },
    'before the head, streamed': { script: { headersAfter: stall, body: '' }, body: { stream: true } },
    'before the first event': { script: sse([': wait\n\n', stall]), body: usageAsked },
    'within a native stream': { script: sse(pieces), body: usageAsked, until: 'begin' },
    'within a filtered stream': { script: sse(pieces), body: { stream: true }, until: 'begin' },
    'within a JSON body': { script: { headers: { 'content-type': 'application/json' }, chunks: ['{"begin', stall] }, body: {} },
  };
  for (const [name, { script, body, until }] of Object.entries(cases)) {
    test(name, async () => {
      const already = worker.points().length;
      upstream.next(script);
      const open = openCall(worker, callTo('turnout/relay', { user: 'leaver', ...body }));
      const exchange = await upstream.take();
      if (until) await open.seen(until);
      open.leave();
      await exchange.cancelled();
      const record = await worker.recordNumber(already);
      assert.equal(record.outcome, 'client_cancelled');
      assert.equal(record.is_error, 0);
      assert.equal(record.router, 'relay');
      assert.equal(record.variant, 'only');
    });
  }

  test('a stream that goes on sending is cancelled too', async () => {
    const already = worker.points().length;
    for (const options of [usageAsked, { stream: true }]) {
      upstream.next(endless);
      const open = openCall(worker, callTo('turnout/relay', options));
      const exchange = await upstream.take();
      await open.seen('word 20 ');
      open.hangUp();
      await exchange.cancelled();
    }
    for (const at of [0, 1]) assert.equal((await worker.recordNumber(already + at)).outcome, 'client_cancelled');
  });
});

describe('an upstream\'s error reaches the caller', () => {
  const errors = {
    400: json({ error: { message: 'bad temperature', type: 'invalid_request_error', param: 'temperature', code: 'unsupported_value' } }, { status: 400 }),
    '429 with Retry-After': json({ error: { message: 'slow down', code: 'rate_limit_exceeded' } }, { status: 429, headers: { 'retry-after': '17' } }),
    500: json({ error: { message: 'oops', type: 'server_error' } }, { status: 500 }),
    '503 in HTML': { status: 503, headers: { 'content-type': 'text/html', 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }, body: '<html><h1>503</h1></html>' },
    '529 that is no standard status': json({ error: { type: 'overloaded_error' } }, { status: 529 }),
  };
  for (const [name, script] of Object.entries(errors)) {
    for (const stream of [false, true]) {
      test(`${name}${stream ? ', streamed' : ''}`, async () => {
        upstream.next(script);
        const answer = await call(worker, callTo('turnout/relay', { stream }));
        assert.equal(answer.status, script.status);
        assert.equal(answer.text, script.body);
        assert.equal(answer.headers['content-type'], script.headers['content-type']);
        assert.equal(answer.headers['retry-after'], script.headers['retry-after']);
        assertDecisionHeaders(answer);
        const record = await worker.record(answer);
        assert.equal(record.outcome, 'upstream_error');
        assert.equal(record.status, String(script.status));
        assert.equal(record.is_error, 1);
        assert.equal(record.output_tokens, null);
      });
    }
  }

  test('401 without the piece of the key that its body shows', async () => {
    const shown = `${UPSTREAM_KEY.slice(0, 8)}*****${UPSTREAM_KEY.slice(-4)}`;
    upstream.next(json({ error: { message: `Incorrect API key provided: ${shown}. You can find your key elsewhere.`, code: 'invalid_api_key' } }, { status: 401 }));
    const answer = await call(worker, callTo('turnout/relay'));
    assert.ok(answer.status >= 400, String(answer.status));
    for (const piece of [shown, UPSTREAM_KEY.slice(0, 8), UPSTREAM_KEY.slice(-4)]) {
      assert.ok(!answer.text.includes(piece), `a piece of the key is shown: ${answer.text}`);
    }
    assert.equal((await worker.record(answer)).is_error, 1);
  });

  test('a model that the upstream does not have is ours to answer for: 502 upstream_model', async () => {
    upstream.next(json({ error: { message: 'no such model', code: 'model_not_found' } }, { status: 404 }));
    const answer = await call(worker, callTo('turnout/relay'));
    assert.equal(answer.status, 502, answer.text);
    assert.equal(answer.json.error.code, 'upstream_model');
    assertDecisionHeaders(answer);
    const record = await worker.record(answer);
    assert.equal(record.outcome, 'upstream_error');
    assert.equal(record.error_kind, 'upstream_model');
    assert.match(record.attempts, /^local\/m1:404:/);
  });

  test('an error in the first event of a 200 is an error, with its own words', async () => {
    const error = JSON.stringify({ error: { message: 'overloaded', type: 'server_error', code: 'overloaded' } });
    upstream.next(sse([event(roleChunk()), event(error)]));
    const answer = await call(worker, callTo('turnout/relay', { stream: true }));
    assert.ok([503, 529].includes(answer.status), String(answer.status));
    assert.equal(answer.text, error);
    assert.equal(answer.headers['content-type'], 'application/json');
    const record = await worker.record(answer);
    assert.equal(record.outcome, 'in_band_error');
    assert.equal(record.error_kind, 'overloaded');
    assert.equal(record.status, String(answer.status));
  });

  test('an error within a stream passes as it is', async () => {
    const pieces = [event(delta('Hi')), event({ error: { message: 'broke', type: 'server_error' } })];
    for (const options of [{ include_usage: true }, undefined]) {
      upstream.next(sse(pieces));
      const answer = await call(worker, callTo('turnout/relay', { stream: true, stream_options: options }));
      assert.equal(answer.text, pieces.join(''));
      assert.equal((await worker.record(answer)).outcome, 'in_band_error');
    }
  });

  test('a refused connection is 502 upstream_unreachable', async () => {
    const answer = await call(worker, callTo('turnout/nobody'));
    assert.equal(answer.status, 502);
    assert.equal(answer.json.error.code, 'upstream_unreachable');
    assert.match(answer.json.error.message, /nobody/);
    assertDecisionHeaders(answer);
    const record = await worker.record(answer);
    assert.equal(record.outcome, 'unreachable');
    assert.equal(record.error_kind, 'upstream_unreachable');
    assert.equal(record.provider, 'nobody');
    assert.equal(record.status, '502');
  });

  test('a connection that breaks before the head is 502 upstream_unreachable', async () => {
    // Once more, for it may only have been an old connection.
    upstream.next({ chunks: [destroy] });
    upstream.next({ chunks: [destroy] });
    const answer = await call(worker, callTo('turnout/relay'));
    assert.equal(answer.status, 502);
    assert.equal(answer.json.error.code, 'upstream_unreachable');
    assert.equal((await worker.record(answer)).outcome, 'unreachable');
  });

  for (const [name, options] of Object.entries({ native: { include_usage: true }, filtered: undefined })) {
    test(`a stream that breaks within an event never ends as if whole: ${name}`, async () => {
      upstream.next(sse([event(delta('one')), event(delta('two')), 'data: {"choices":[{"del', destroy]));
      const answer = await call(worker, callTo('turnout/relay', { stream: true, stream_options: options }));
      assert.equal(answer.status, 200);
      assert.ok(answer.text.startsWith(event(delta('one')) + event(delta('two'))), answer.text);
      assert.ok(!answer.text.includes('[DONE]'), answer.text);
      const last = answer.text.split('\n\n').at(-2);
      assert.equal(JSON.parse(last.slice('data: '.length)).error.code, 'upstream_unreachable');
      const record = await worker.record(answer);
      assert.equal(record.outcome, 'cut');
      assert.equal(record.is_error, 1);
      assert.equal(record.output_tokens, null);
    });

    test(`a stream that breaks before its first event: ${name}`, async () => {
      upstream.next(sse([event(roleChunk()), destroy]));
      const answer = await call(worker, callTo('turnout/relay', { stream: true, stream_options: options }));
      assert.equal(answer.status, 502, answer.text);
      assert.equal(answer.json.error.code, 'upstream_unreachable');
      const record = await worker.record(answer);
      assert.equal(record.outcome, 'cut');
      assert.equal(record.is_error, 1);
    });
  }

  const none = {
    'no JSON at all': { headers: { 'content-type': 'text/plain' }, body: 'hello' },
    'an empty body': { headers: { 'content-type': 'application/json' }, body: '' },
    'a 204': { status: 204, body: '' },
    'a list': json('[]'),
  };
  for (const [name, script] of Object.entries(none)) {
    test(`${name} is no answer: 502 upstream_unreachable`, async () => {
      upstream.next(script);
      const answer = await call(worker, callTo('turnout/relay'));
      assert.equal(answer.status, 502, answer.text);
      assert.equal(answer.json.error.code, 'upstream_unreachable');
      const record = await worker.record(answer);
      assert.equal(record.outcome, 'cut');
      assert.match(record.attempts, /^local\/m1:20[04]-cut:/);
    });
  }

  test('a JSON body that breaks never ends as if whole', async () => {
    upstream.next({ headers: { 'content-type': 'application/json', 'content-length': '5000' }, chunks: ['{"choices":[', destroy] });
    const answer = await call(worker, callTo('turnout/relay'));
    assert.equal(answer.status, 502, answer.text);
    const record = await worker.record(answer);
    assert.equal(record.outcome, 'cut');
    assert.equal(record.is_error, 1);
  });

  test('a redirect carries no credential to another host', async () => {
    const other = await startUpstream();
    try {
      upstream.next({ status: 307, headers: { location: `${other.origin}/local/v1/chat/completions` }, body: '' });
      const answer = await call(worker, callTo('turnout/relay'));
      assert.notEqual(answer.status, 500);
      while (other.untaken > 0) {
        const { rawHeaders } = await other.take();
        assert.ok(!rawHeaders.join('\n').includes(UPSTREAM_KEY), 'the key went to another host');
      }
      await worker.record(answer);
    } finally {
      await other.close();
    }
  });
});

describe('headers', () => {
  test('the downstream\'s key goes up, the caller\'s credentials and our headers do not', async () => {
    const secret = 'of-the-caller-alone';
    const headers = {
      'x-api-key': secret, 'x-goog-api-key': secret, cookie: `session=${secret}`, 'proxy-authorization': `Basic ${secret}`,
      'x-turnout-user': secret, 'x-session-id': secret, 'openai-organization': secret, 'x-stainless-lang': secret,
      'x-forwarded-for': secret, 'keep-alive': 'timeout=5', te: 'trailers', 'x-own': secret,
    };
    const answer = await call(worker, callTo('turnout/relay'), { headers });
    assert.equal(answer.status, 200, answer.text);
    const exchange = await upstream.take();
    assert.equal(exchange.method, 'POST');
    assert.equal(exchange.url, '/local/v1/chat/completions');
    assert.equal(exchange.headers.authorization, `Bearer ${UPSTREAM_KEY}`);
    assert.equal(exchange.headers.host, new URL(upstream.origin).host);
    assert.match(exchange.headers['content-type'], /^application\/json/);
    const raw = exchange.rawHeaders.join('\n');
    assert.ok(!raw.includes(secret), `the caller's headers went up:\n${raw}`);
    assert.ok(!raw.includes(ADMIN_KEY), `the caller's credential went up:\n${raw}`);
    assert.doesNotMatch(raw, /x-turnout|x-test-cf/i);
  });

  test('our headers tell of the decision, and an upstream cannot forge them', async () => {
    upstream.next(json(completion('x'), { headers: { 'x-turnout-variant': 'forged', 'x-turnout-note': 'forged', 'x-turnout-request-id': 'forged', 'set-cookie': 'a=b', connection: 'close' } }));
    const answer = await call(worker, callTo('turnout/relay', { user: 'user-1' }));
    assertDecisionHeaders(answer);
    assert.equal(answer.headers['x-turnout-unit'], 'user');
    assert.doesNotMatch(answer.rawHeaders.join('\n'), /forged/);
    assert.doesNotMatch(answer.rawHeaders.join('\n'), new RegExp(UPSTREAM_KEY));
  });

  test('a call without a unit says so', async () => {
    const answer = await call(worker, callTo('turnout/relay'));
    assertDecisionHeaders(answer);
    assert.equal(answer.headers['x-turnout-unit'], 'call');
  });

  test('a streamed call tells of the decision too', async () => {
    upstream.next(sse([event(delta('x')), DONE]));
    assertDecisionHeaders(await call(worker, callTo('turnout/relay', { stream: true })));
  });

  test('request ids are distinct', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => call(worker, callTo('turnout/relay', { user: 'same' }))));
    assert.equal(new Set(answers.map(({ headers }) => headers['x-turnout-request-id'])).size, 50);
  });

  test('a direct call says what served it', async () => {
    const answer = await call(worker, callTo('local/m1'));
    assert.match(answer.headers['x-turnout-request-id'], /^[\w-]{16,}$/);
    assert.equal(answer.headers['x-turnout-served'], 'local/m1');
    assert.match(answer.headers['x-turnout-attempts'], /^local\/m1:200:\d+ms$/);
  });
});

describe('bodies that are too large', () => {
  let small;
  before(async () => {
    small = await startWorker({
      vars: { MAX_BODY_BYTES: '65536' },
      kv: { gateway: gatewayTo(upstream), 'router:relay': routerOf({ only: ['local/m1', 100] }) },
    });
  });
  after(() => small?.stop());

  const filled = (size) => {
    const empty = JSON.stringify(callTo('turnout/relay', { filler: '' }));
    return empty.replace('"filler":""', `"filler":"${'x'.repeat(size - empty.length)}"`);
  };

  for (const chunked of [false, true]) {
    const how = chunked ? 'without content-length' : 'with content-length';
    test(`at the limit passes, ${how}`, async () => {
      const answer = await call(small, filled(65536), { chunked });
      assert.equal(answer.status, 200, answer.text);
      assert.equal((await upstream.take()).body.length, 65536 - 'turnout/relay'.length + 'm1'.length);
    });
    for (const size of [65537, 4_000_000]) {
      test(`${size} bytes are 413, ${how}`, async () => {
        const answer = await eventually(
          // A server that refuses early may close the connection while the rest of the body is on its way.
          () => call(small, filled(size), { chunked }).catch((error) => ({ error })),
          ({ error, status }) => status !== undefined || !['EPIPE', 'ECONNRESET'].includes(error?.code),
        );
        assert.equal(answer.status, 413, answer.text ?? String(answer.error));
        assert.equal(answer.json.error.code, 'body_too_large');
        assert.match(answer.json.error.message, /65536|64 KiB/);
        assert.equal(upstream.untaken, 0);
      });
    }
  }
});

describe('the official SDK', () => {
  test('plain', async () => {
    const { data, response } = await sdk(worker).chat.completions.create(callTo('turnout/relay', { user: 'u' })).withResponse();
    assert.equal(data.choices[0].message.content, 'hello');
    assert.equal(response.headers.get('x-turnout-variant'), 'only');
  });

  test('streaming, with and without usage', async () => {
    for (const stream_options of [{ include_usage: true }, undefined]) {
      upstream.next(sse([event(roleChunk()), event(delta('Hel')), event(delta('lo')), event(finishChunk()), event(usageChunk()), DONE]));
      const stream = await sdk(worker).chat.completions.create(callTo('turnout/relay', { stream: true, stream_options }));
      const chunks = [];
      for await (const each of stream) chunks.push(each);
      assert.equal(chunks.map((each) => each.choices[0]?.delta.content ?? '').join(''), 'Hello');
      assert.equal(chunks.some((each) => each.usage), stream_options !== undefined);
    }
  });

  test('tools, streamed', async () => {
    const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];
    const piece = (fields) => event({ ...delta(''), choices: [{ index: 0, delta: { tool_calls: [{ index: 0, ...fields }] }, finish_reason: null }] });
    upstream.next(sse([event(roleChunk()), piece({ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '' } }), piece({ function: { arguments: '{"city":' } }), piece({ function: { arguments: '"Brno"}' } }), event(finishChunk()), event(usageChunk()), DONE]));
    const final = await sdk(worker).chat.completions.stream(callTo('turnout/relay', { tools, tool_choice: 'auto' })).finalChatCompletion();
    assert.equal(final.choices[0].message.tool_calls[0].function.arguments, '{"city":"Brno"}');
    assert.deepEqual((await upstream.take()).json.tools, tools);
  });

  test('images', async () => {
    const messages = [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${'iVBORw0KGgo'.repeat(100_000)}`, detail: 'low' } }] }];
    await sdk(worker).chat.completions.create({ model: 'turnout/relay', messages });
    assert.deepEqual((await upstream.take()).json.messages, messages);
  });

  test('abort', async () => {
    upstream.next(endless);
    const stream = await sdk(worker).chat.completions.create(callTo('turnout/relay', { stream: true }));
    const exchange = await upstream.take();
    for await (const _ of stream) break;
    stream.controller.abort();
    await exchange.cancelled();
  });

  const classes = { 400: OpenAI.BadRequestError, 422: OpenAI.UnprocessableEntityError, 429: OpenAI.RateLimitError, 500: OpenAI.InternalServerError };
  for (const [status, Class] of Object.entries(classes)) {
    test(`an upstream's ${status}`, async () => {
      upstream.next(json({ error: { message: 'because', code: 'some_code' } }, { status: Number(status) }));
      const error = await sdk(worker).chat.completions.create(callTo('turnout/relay')).then(() => assert.fail('no error'), (error) => error);
      assert.ok(error instanceof Class, String(error));
      assert.equal(error.code, 'some_code');
    });
  }
});

/** A script of words without end, a few milliseconds apart. */
async function endless({ response }) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let at = 0; !response.destroyed; at += 1) {
    await new Promise((done) => response.write(event(delta(`word ${at} `)), () => setTimeout(done, 2)));
  }
  return { chunks: [destroy] };
}

function assertDecisionHeaders({ headers, text = '' }) {
  const router = headers['x-turnout-router'];
  assert.match(headers['x-turnout-request-id'], /^[\w-]{16,}$/);
  assert.match(router, /^(relay|nobody)$/);
  assert.match(headers['x-turnout-revision'], /^h-[0-9a-f]{8}$/);
  assert.equal(headers['x-turnout-route'], 'default');
  assert.equal(headers['x-turnout-variant'], 'only');
  assert.match(headers['x-turnout-attempts'], /^(local|nobody)\/m1:/);
  assert.match(headers['x-turnout-unit'], /^(user|session|call)$/);
  // Nothing served a call that no upstream answered, or whose answer is an error of ours.
  const isServed = router === 'relay' && !text.includes('"code":"upstream_');
  assert.equal(headers['x-turnout-served'], isServed ? 'local/m1' : undefined);
}

function crlf(text) {
  return text.replaceAll('\n', '\r\n');
}
