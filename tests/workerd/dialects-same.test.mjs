// A caller and a downstream of one dialect: bytes, headers and credentials (law 1), for each dialect but Chat Completions,
// of which `relay.test.mjs` tells.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import { call, get } from './client.mjs';
import { PROVIDERS } from './dialects/answers.mjs';
import { fourUpstreams } from './dialects/upstreams.mjs';
import { ADMIN_KEY, startWorker, test } from './harness.mjs';
import { UPSTREAM_KEY, json, routerOf, sse, startUpstream } from './upstream.mjs';

let upstream;
let worker;

before(async () => {
  upstream = await startUpstream();
  const router = (model) => routerOf({ only: [model, 100] });
  worker = await startWorker({
    kv: {
      gateway: fourUpstreams(upstream),
      'router:openai': router('openai-up/m1'), 'router:anthropic': router('anthropic-up/m1'), 'router:openai-responses': router('openai-responses-up/m1'), 'router:gemini': router('gemini-up/m1'),
    },
  });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

beforeEach(() => upstream.reset());

const SAID = { text: 'Hello', stop: 'stop', usage: { input: 20, cached: 8, output: 5, reasoning: 0 } };
const GEMINI = '/v1beta/models/gemini:generateContent';

const DIALECTS = {
  anthropic: {
    path: '/v1/messages',
    upstreamPath: '/anthropic-up/v1/messages',
    credential: ['x-api-key', UPSTREAM_KEY],
    forwarded: { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'context-1m-2025-08-07,own-beta' },
    bodies: {
      'only the model': ['{ "max_tokens" : 1E+3,\n\t"model" :  "turnout/anthropic", "messages":[ { "content":"\\u00e9\\/é😀", "role":"user" } ],"zeta":12345678901234567890.10,"n":null }', '{ "max_tokens" : 1E+3,\n\t"model" :  "m1", "messages":[ { "content":"\\u00e9\\/é😀", "role":"user" } ],"zeta":12345678901234567890.10,"n":null }'],
      'metadata but for the user\'s id': ['{"model":"turnout/anthropic","metadata":{"plan":"free","user_id":"u-1","x":[1]},"max_tokens":5,"messages":[]}', '{"model":"m1","metadata":{"user_id":"u-1"},"max_tokens":5,"messages":[]}'],
      'metadata without the user\'s id': ['{"model":"turnout/anthropic","metadata":{"plan":"free"},"max_tokens":5,"messages":[]}', '{"model":"m1","max_tokens":5,"messages":[]}'],
      'what is ours': ['{"models":["local/m2"],"model":"turnout/anthropic","fallback":{"ttft_timeout":"1s"},"user":"u","ignore":["x"],"max_tokens":5,"messages":[]}', '{"model":"m1","max_tokens":5,"messages":[]}'],
      'thoughts and cache marks stay': ['{"model":"turnout/anthropic","max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"b=="},{"type":"redacted_thinking","data":"c"}]}],"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}]}', '{"model":"m1","max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"b=="},{"type":"redacted_thinking","data":"c"}]}],"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}]}'],
    },
  },
  openai_responses: {
    path: '/v1/responses',
    upstreamPath: '/openai-responses-up/v1/responses',
    credential: ['authorization', `Bearer ${UPSTREAM_KEY}`],
    forwarded: { 'openai-beta': 'responses=v1', 'idempotency-key': 'once-1' },
    bodies: {
      'only the model': ['{ "input" : "\\u00e9\\/é😀",\n\t"model" :  "turnout/openai-responses","temperature":1E+0,"own":{"b":1,"a":-0.0} }', '{ "input" : "\\u00e9\\/é😀",\n\t"model" :  "m1","temperature":1E+0,"own":{"b":1,"a":-0.0} }'],
      'metadata stays whole': ['{"metadata":{"plan":"free"},"model":"turnout/openai-responses","input":"x","user":"u","store":false}', '{"metadata":{"plan":"free"},"model":"m1","input":"x","user":"u","store":false}'],
      'what is ours': ['{"models":["local/m2"],"model":"turnout/openai-responses","sort":[],"input":"x","fallback":{}}', '{"model":"m1","input":"x"}'],
      'state that the provider keeps stays': ['{"model":"turnout/openai-responses","previous_response_id":"resp_0","input":[{"type":"item_reference","id":"rs_1"}],"background":true}', '{"model":"m1","previous_response_id":"resp_0","input":[{"type":"item_reference","id":"rs_1"}],"background":true}'],
    },
  },
  gemini: {
    path: GEMINI,
    upstreamPath: '/gemini-up/v1beta/models/m1:generateContent',
    credential: ['x-goog-api-key', UPSTREAM_KEY],
    forwarded: {},
    bodies: {
      'nothing at all': ['{ "contents" : [ {"role":"user","parts":[{"text":"\\u00e9\\/é😀","thoughtSignature":"a=="}]} ],\n\t"generationConfig":{"temperature":1E+0},"zeta":1.0 }', '{ "contents" : [ {"role":"user","parts":[{"text":"\\u00e9\\/é😀","thoughtSignature":"a=="}]} ],\n\t"generationConfig":{"temperature":1E+0},"zeta":1.0 }'],
      'what is ours': ['{"metadata":{"plan":"free"},"contents":[{"parts":[{"text":"x"}]}],"user":"u"}', '{"contents":[{"parts":[{"text":"x"}]}]}'],
      'words of its older form stay': ['{"contents":[],"generation_config":{"max_output_tokens":5},"system_instruction":{"parts":[]}}', '{"contents":[],"generation_config":{"max_output_tokens":5},"system_instruction":{"parts":[]}}'],
    },
  },
};

for (const [dialect, { path, upstreamPath, credential, forwarded, bodies }] of Object.entries(DIALECTS)) {
  describe(dialect, () => {
    for (const [name, [sent, received]] of Object.entries(bodies)) {
      test(`the request's bytes: ${name}`, async () => {
        upstream.next(PROVIDERS[dialect].whole(SAID));
        const answer = await call(worker, sent, { path });
        assert.equal(answer.status, 200, answer.text);
        const exchange = await upstream.take();
        assert.equal(exchange.text, received);
        assert.equal(exchange.url, upstreamPath);
        assert.equal(answer.headers['x-turnout-note'], undefined);
      });
    }

    const body = () => Object.values(bodies)[0][0];

    test('the answer\'s bytes, whole', async () => {
      const script = PROVIDERS[dialect].whole(SAID);
      script.body = `\n ${script.body.replaceAll(',', ' ,\t')}`;
      upstream.next(script);
      const answer = await call(worker, body(), { path });
      assert.equal(answer.text, script.body);
    });

    test('the answer\'s bytes, streamed', async () => {
      const { chunks } = PROVIDERS[dialect].stream({ ...SAID, thinking: 'Hm', signature: 'QUJD' });
      upstream.next(sse(chunks));
      const gemini = dialect === 'gemini';
      const answer = await call(worker, gemini ? body() : body().replace('{', '{"stream":true,'), { path: gemini ? '/v1beta/models/gemini:streamGenerateContent?alt=sse' : path });
      assert.equal(answer.text, chunks.join(''));
      const exchange = await upstream.take();
      assert.equal(exchange.url, gemini ? '/gemini-up/v1beta/models/m1:streamGenerateContent?alt=sse' : upstreamPath);
      const record = await worker.record(answer);
      assert.equal(record.output_tokens, 5);
    });

    test('an error\'s bytes', async () => {
      const script = PROVIDERS[dialect].error({ status: 400, message: 'No.' });
      upstream.next(script);
      const answer = await call(worker, body(), { path });
      assert.equal(answer.status, 400);
      assert.equal(answer.text, script.body);
    });

    test('headers: those of the dialect and the downstream\'s credential go up, no other of the caller\'s', async () => {
      const secret = 'of-the-caller-alone';
      const kept = { cookie: secret, 'x-own': secret, 'x-goog-api-client': secret, 'x-stainless-lang': secret, 'x-turnout-user': secret, 'openai-organization': secret, 'x-goog-user-project': secret };
      const credentials = { authorization: `Bearer ${ADMIN_KEY}`, 'x-api-key': secret, 'x-goog-api-key': secret };
      upstream.next(PROVIDERS[dialect].whole(SAID));
      const answer = await call(worker, body(), { path, headers: { ...kept, ...credentials, ...forwarded } });
      assert.equal(answer.status, 200, answer.text);
      const exchange = await upstream.take();
      const raw = exchange.rawHeaders.join('\n');
      assert.ok(!raw.includes(secret) && !raw.includes(ADMIN_KEY), raw);
      for (const [name, value] of Object.entries({ ...forwarded, [credential[0]]: credential[1] })) assert.equal(exchange.headers[name], value);
      const held = ['authorization', 'x-api-key', 'x-goog-api-key'].filter((name) => name in exchange.headers);
      assert.deepEqual(held, [credential[0]]);
      assert.ok(!exchange.url.includes('key='));
    });

    for (const [name, headers] of Object.entries({ 'x-api-key': { 'x-api-key': ADMIN_KEY }, 'x-goog-api-key': { 'x-goog-api-key': ADMIN_KEY }, bearer: { authorization: `Bearer ${ADMIN_KEY}` } })) {
      test(`the caller's key as ${name}`, async () => {
        upstream.next(PROVIDERS[dialect].whole(SAID));
        assert.equal((await call(worker, body(), { path, key: null, headers })).status, 200);
      });
    }
  });
}

test('Anthropic\'s version is sent though the caller sends none', async () => {
  upstream.next(PROVIDERS.anthropic.whole(SAID));
  await call(worker, '{"model":"turnout/anthropic","max_tokens":5,"messages":[]}', { path: '/v1/messages' });
  assert.equal((await upstream.take()).headers['anthropic-version'], '2023-06-01');
});

describe('a dialect\'s header goes to no other dialect', () => {
  for (const target of ['openai', 'openai-responses', 'gemini']) {
    test(`anthropic-beta to ${target}`, async () => {
      upstream.next(PROVIDERS[target.replace('-', '_')].whole(SAID));
      const answer = await call(worker, { model: `turnout/${target}`, max_tokens: 5, messages: [{ role: 'user', content: 'x' }] }, { path: '/v1/messages', headers: { 'anthropic-beta': 'x', 'anthropic-version': '2023-06-01' } });
      assert.equal(answer.status, 200, answer.text);
      const { headers } = await upstream.take();
      assert.equal(headers['anthropic-beta'] ?? headers['anthropic-version'], undefined);
    });
  }
});

describe('count_tokens', () => {
  const client = () => new Anthropic({ baseURL: worker.url, apiKey: ADMIN_KEY, maxRetries: 0 });
  const counted = (model) => client().messages.countTokens({ model, messages: [{ role: 'user', content: 'Hi' }] });

  test('of an Anthropic downstream', async () => {
    upstream.next(json({ input_tokens: 2095 }));
    assert.deepEqual({ ...await counted('turnout/anthropic') }, { input_tokens: 2095 });
    const exchange = await upstream.take();
    assert.equal(exchange.url, '/anthropic-up/v1/messages/count_tokens');
    assert.deepEqual(exchange.json, { model: 'm1', messages: [{ role: 'user', content: 'Hi' }] });
    assert.equal(exchange.headers['x-api-key'], UPSTREAM_KEY);
  });

  for (const target of ['openai', 'openai-responses', 'gemini']) {
    test(`is refused by name where the downstream speaks ${target}`, async () => {
      const error = await counted(`turnout/${target}`).then(() => assert.fail('no error'), (error) => error);
      assert.ok(error instanceof Anthropic.BadRequestError, String(error));
      assert.match(error.message, /count/);
      assert.equal(upstream.untaken, 0);
    });
  }
});

describe('Gemini\'s URLs', () => {
  const body = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] };

  test('a stream without alt=sse is one JSON array, from Gemini and from others', async () => {
    for (const [router, dialect] of [['gemini', 'gemini'], ['anthropic', 'anthropic'], ['openai', 'openai'], ['openai-responses', 'openai_responses']]) {
      // As Google does: events to whom asks for them, else one array.
      upstream.next(({ url }) => {
        const script = PROVIDERS[dialect].stream(SAID);
        if (dialect !== 'gemini' || url.includes('alt=sse')) return script;
        return { headers: { 'content-type': 'application/json; charset=UTF-8' }, chunks: script.chunks.map((chunk, index) => `${index ? ',\r\n' : '['}${chunk.slice('data: '.length).trim()}`).concat(']') };
      });
      const answer = await call(worker, body, { path: `/v1beta/models/${router}:streamGenerateContent` });
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.headers['content-type'], /^application\/json/);
      const chunks = answer.json;
      assert.ok(Array.isArray(chunks), answer.text);
      assert.equal(chunks.flatMap(({ candidates }) => candidates?.[0].content?.parts ?? []).map(({ text }) => text ?? '').join(''), 'Hello', router);
      assert.equal(chunks.findLast(({ candidates }) => candidates)?.candidates[0].finishReason, 'STOP');
      upstream.reset();
    }
  });

  test('the key as ?key=, which goes no further', async () => {
    upstream.next(PROVIDERS.gemini.stream(SAID));
    const answer = await call(worker, body, { path: `/v1beta/models/gemini:streamGenerateContent?alt=sse&key=${ADMIN_KEY}`, key: null });
    assert.equal(answer.status, 200, answer.text);
    const exchange = await upstream.take();
    assert.equal(exchange.url, '/gemini-up/v1beta/models/m1:streamGenerateContent?alt=sse');
    assert.ok(!exchange.rawHeaders.join('\n').includes(ADMIN_KEY));
  });

  test('the key as ?key= is read on Gemini\'s paths alone', async () => {
    const answer = await call(worker, { model: 'openai', messages: [] }, { path: `/v1/chat/completions?key=${ADMIN_KEY}`, key: null });
    assert.equal(answer.status, 401);
  });

  test('GET /v1beta/models', async () => {
    const answer = await get(worker, '/v1beta/models');
    assert.equal(answer.status, 200);
    const names = answer.json.models.map(({ name }) => name);
    assert.ok(names.includes('models/turnout/gemini'), names.join());
    const listed = [];
    for await (const model of await new GoogleGenAI({ apiKey: ADMIN_KEY, httpOptions: { baseUrl: worker.url } }).models.list()) listed.push(model.name);
    assert.deepEqual(listed, names);
  });

  test('what a list names can be called', async () => {
    upstream.next(PROVIDERS.gemini.whole(SAID));
    const client = new GoogleGenAI({ apiKey: ADMIN_KEY, httpOptions: { baseUrl: worker.url } });
    const answer = await client.models.generateContent({ model: 'models/turnout/gemini', contents: 'Hi' });
    assert.equal(answer.text, 'Hello');
  });
});

test('GET /v1/models in Anthropic\'s shape, for its SDK', async () => {
  const ids = [];
  for await (const model of new Anthropic({ baseURL: worker.url, apiKey: ADMIN_KEY }).models.list()) ids.push(model.id);
  assert.ok(ids.includes('turnout/anthropic'), ids.join());
});
