// Between dialects: our own errors, what is dropped and what is refused, state that a provider keeps, and one client whose
// router sets providers against each other.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe } from 'node:test';
import { call } from './client.mjs';
import { PROVIDERS } from './dialects/answers.mjs';
import { SDKS } from './dialects/clients.mjs';
import { fourUpstreams } from './dialects/upstreams.mjs';
import { ADMIN_KEY, startWorker, test } from './harness.mjs';
import { UPSTREAM_KEY, event, json, routerOf, sse, startUpstream } from './upstream.mjs';

let upstream;
let worker;

const SAID = { text: 'Hello', stop: 'stop', usage: { input: 20, cached: 8, output: 5, reasoning: 0 } };

before(async () => {
  upstream = await startUpstream();
  const gateway = fourUpstreams(upstream);
  gateway.downstreams.push({ id: 'keeper', base_url: `${upstream.origin}/keeper`, api_key: UPSTREAM_KEY, api_formats: ['openai_responses'] });
  const targets = { openai: 'openai-up/gpt-5', anthropic: 'anthropic-up/claude-sonnet-4-6', 'openai-responses': 'openai-responses-up/gpt-5', gemini: 'gemini-up/gemini-3-flash' };
  const kv = { gateway };
  for (const [name, model] of Object.entries(targets)) kv[`router:${name}`] = routerOf({ only: [model, 100] });
  kv['router:trial'] = routerOf({ gpt: [targets['openai-responses'], 40], claude: [targets.anthropic, 30], gemini: [targets.gemini, 30] });
  kv['router:moved'] = routerOf({ now: ['openai-responses-up/gpt-5', 100], before: ['keeper/gpt-5', 0] });
  worker = await startWorker({ kv });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

beforeEach(() => upstream.reset());

const DIALECTS = ['openai', 'anthropic', 'openai_responses', 'gemini'];
const PATHS = { openai: () => '/v1/chat/completions', anthropic: () => '/v1/messages', openai_responses: () => '/v1/responses', gemini: (model) => `/v1beta/models/${model}:generateContent` };

/** The smallest body of a dialect. */
function bodyOf(dialect, model, rest = {}) {
  return {
    openai: { model, messages: [{ role: 'user', content: 'Hi' }], ...rest },
    anthropic: { model, max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }], ...rest },
    openai_responses: { model, input: 'Hi', ...rest },
    gemini: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], ...rest },
  }[dialect];
}

const ask = (dialect, model, rest, options = {}) => call(worker, typeof rest === 'string' ? rest : bodyOf(dialect, model, rest), { path: PATHS[dialect](model), ...options });

/** An error in a dialect's own shape: `{status, kind, code, message}`. */
const ERRORS = {
  openai({ error: { message, type, code, param } }) {
    assert.notEqual(param, undefined);
    return { kind: type, code, message };
  },
  anthropic({ type, error }) {
    assert.equal(type, 'error');
    return { kind: error.type, code: error.code, message: error.message };
  },
  gemini({ error: { code, message, status, details } }) {
    assert.equal(typeof code, 'number');
    return { kind: status, code: details?.find((detail) => detail['@type'].endsWith('ErrorInfo'))?.reason, message, status: code };
  },
};
ERRORS.openai_responses = ERRORS.openai;

const KINDS = {
  400: { openai: 'invalid_request_error', anthropic: 'invalid_request_error', gemini: 'INVALID_ARGUMENT' },
  401: { openai: 'invalid_request_error', anthropic: 'authentication_error', gemini: 'UNAUTHENTICATED' },
  404: { openai: 'invalid_request_error', anthropic: 'not_found_error', gemini: 'NOT_FOUND' },
};

describe('our own errors are in the caller\'s shape', () => {
  const cases = {
    'no key': [401, {}, { key: null }],
    'an unknown router': [404, {}, {}, 'turnout/nosuchrouter'],
    'a body that is no JSON': [400, '{"contents":[', {}],
  };
  for (const dialect of DIALECTS) {
    for (const [name, [status, rest, options, model = 'openai']] of Object.entries(cases)) {
      test(`${dialect}: ${name}`, async () => {
        const answer = await ask(dialect, model, rest, options);
        assert.equal(answer.status, status, answer.text);
        const error = ERRORS[dialect](answer.json);
        if (dialect !== 'openai' && dialect !== 'openai_responses') assert.equal(error.kind, KINDS[status][dialect], answer.text);
        assert.equal(typeof error.kind, 'string');
        if (error.status !== undefined) assert.equal(error.status, status);
        assert.match(error.code, /^[a-z_]+$/);
        assert.match(error.message, /\S+ \S+/);
        assert.equal(upstream.untaken, 0);
      });
    }
  }
});

describe('what is dropped is noted', () => {
  const cases = {
    'openai → anthropic': ['openai', 'anthropic', { seed: 7, presence_penalty: 0.5 }, /`seed`.*|penalties/],
    'openai → openai-responses': ['openai', 'openai-responses', { seed: 7 }, /`seed`/],
    'openai → gemini': ['openai', 'gemini', { prompt_cache_key: 'k' }, /`prompt_cache_key`/],
    'anthropic → openai': ['anthropic', 'openai', { top_k: 5, system: [{ type: 'text', text: 's', cache_control: { type: 'ephemeral' } }] }, /`top_k`.*`cache_control`|`cache_control`.*`top_k`/],
    'openai_responses → anthropic': ['openai_responses', 'anthropic', { prompt_cache_key: 'k' }, /`prompt_cache_key`/],
    'gemini → openai': ['gemini', 'openai', { generationConfig: { topK: 3 } }, /`top_k`/],
  };
  for (const [name, [dialect, router, rest, noted]] of Object.entries(cases)) {
    test(name, async () => {
      upstream.next(PROVIDERS[router.replace('-', '_')].whole(SAID));
      const answer = await ask(dialect, router, rest);
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.headers['x-turnout-note'] ?? '', noted);
      assert.match(answer.headers['x-turnout-note'], new RegExp(`not sent to ${router.replace('-', '_')}`));
    });
  }

  test('a call that loses nothing has no note', async () => {
    for (const dialect of DIALECTS) {
      for (const router of DIALECTS.map((each) => each.replace('_', '-'))) {
        upstream.next(PROVIDERS[router.replace('-', '_')].whole(SAID));
        const answer = await ask(dialect, router, {});
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.headers['x-turnout-note'], undefined, `${dialect} → ${router}`);
      }
    }
  });
});

describe('what is refused is a 400 that names it, before anything is sent', () => {
  const cases = {
    'n': ['openai', 'anthropic', { n: 2 }, /`n`/],
    'logit_bias': ['openai', 'gemini', { logit_bias: { 5: 1 } }, /logit_bias/],
    'stop': ['openai', 'openai-responses', { stop: ['x'] }, /stop/],
    'previous_response_id': ['openai_responses', 'anthropic', { previous_response_id: 'resp_1' }, /previous_response_id/],
    'conversation': ['openai_responses', 'openai', { conversation: 'conv_1' }, /conversation/],
    'background': ['openai_responses', 'gemini', { background: true }, /background/],
    'cachedContent': ['gemini', 'anthropic', { cachedContent: 'cachedContents/1' }, /cachedContent/],
    'stop_sequences': ['anthropic', 'openai-responses', { stop_sequences: ['x'] }, /stop/],
    'candidateCount': ['gemini', 'openai-responses', { generationConfig: { candidateCount: 2 } }, /candidateCount|`n`/],
  };
  for (const [name, [dialect, router, rest, named]] of Object.entries(cases)) {
    test(`${name}: ${dialect} → ${router}`, async () => {
      const answer = await ask(dialect, router, rest);
      assert.equal(answer.status, 400, answer.text);
      assert.match(ERRORS[dialect](answer.json).message, named);
      assert.equal(upstream.untaken, 0);
    });
  }
});

describe('what a provider says in another way', () => {
  const clients = Object.values(SDKS);
  const each = async (router, script, check) => {
    for (const client of clients) {
      for (const stream of [false, true]) {
        upstream.reset();
        upstream.next(script(stream));
        check(await client.run(worker, `turnout/${router}`, { text: 'Hi' }, { stream }), `${client.name}, ${stream ? 'streamed' : 'whole'}`);
      }
    }
  };

  test('a prompt that Gemini blocks is a refusal', async () => {
    const blocked = { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata: { promptTokenCount: 5, totalTokenCount: 5 }, modelVersion: 'gemini-3-flash', responseId: 'x' };
    await each('gemini', (stream) => (stream ? sse([event(blocked, '\r\n\r\n')]) : json(blocked)), ({ stop, error, text }, name) => assert.deepEqual({ stop, error, text }, { stop: 'refusal', error: undefined, text: '' }, name));
  });

  const first = {
    anthropic: () => sse([`event: error\n${event({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded today' } })}`]),
    openai: () => sse([event({ error: { message: 'Overloaded today', type: 'server_error', code: 'overloaded', param: null } })]),
    'openai-responses': () => sse([`event: error\n${event({ type: 'error', sequence_number: 0, code: 'server_error', message: 'Overloaded today', param: null })}`]),
    gemini: () => sse([event({ error: { code: 503, message: 'Overloaded today', status: 'UNAVAILABLE' } }, '\r\n\r\n')]),
  };
  for (const [router, script] of Object.entries(first)) {
    test(`${router}: an error before the first word is an error with a status`, async () => {
      for (const client of clients) {
        upstream.reset();
        upstream.next(script());
        const { error } = await client.run(worker, `turnout/${router}`, { text: 'Hi' }, { stream: true });
        assert.match(error?.message ?? '', /Overloaded today/, client.name);
        assert.ok(error.status >= 500, `${client.name}: ${error.status}`);
      }
    });
  }

  test('a body that the dialect does not allow is an upstream\'s error', async () => {
    for (const [router, body] of [['anthropic', { type: 'message', content: 5 }], ['gemini', { candidates: 'x' }], ['openai', { choices: {} }], ['openai-responses', { object: 'response', output: 'x' }]]) {
      for (const client of clients.filter(({ dialect }) => dialect.replace('_', '-') !== router)) {
        upstream.reset();
        upstream.next(json(body));
        const { error } = await client.run(worker, `turnout/${router}`, { text: 'Hi' }, { stream: false });
        assert.equal(error?.status, 502, `${client.name} → ${router}: ${error?.message}`);
      }
    }
  });
});

describe('state that a provider keeps', () => {
  const unknown = () => json({ error: { message: "Previous response with id 'resp_9' not found.", type: 'invalid_request_error', param: 'previous_response_id', code: 'previous_response_not_found' } }, { status: 400 });

  test('an id that the target does not know is asked of the route\'s other target, also of weight 0', async () => {
    upstream.next(unknown());
    upstream.next(PROVIDERS.openai_responses.whole(SAID));
    const answer = await ask('openai_responses', 'turnout/moved', { previous_response_id: 'resp_9' });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['x-turnout-served'], 'keeper/gpt-5');
    assert.equal(answer.headers['x-turnout-variant'], 'now');
    const asked = [await upstream.take(), await upstream.take()];
    assert.deepEqual(asked.map(({ url }) => url), ['/openai-responses-up/v1/responses', '/keeper/v1/responses']);
    for (const { json: body } of asked) assert.equal(body.previous_response_id, 'resp_9');
  });

  test('an id that nobody knows is the first target\'s error', async () => {
    upstream.next(unknown());
    upstream.next(unknown());
    const answer = await ask('openai_responses', 'turnout/moved', { previous_response_id: 'resp_9' });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json.error.code, 'previous_response_not_found');
  });

  test('an id in an answer is not rewritten', async () => {
    upstream.next(PROVIDERS.openai_responses.whole(SAID));
    assert.equal((await ask('openai_responses', 'turnout/moved', {})).json.id, 'resp_01');
  });
});

describe('gpt against claude against gemini, with one client', () => {
  const SERVED = { 'openai-responses-up/gpt-5': 'openai_responses', 'anthropic-up/claude-sonnet-4-6': 'anthropic', 'gemini-up/gemini-3-flash': 'gemini' };
  /** Answers in the dialect of whichever downstream is called. */
  const any = ({ url }) => PROVIDERS[/^\/(.+?)-up\//.exec(url)[1].replace('-', '_')].whole({ ...SAID, text: url.split('/')[1] });

  for (const [name, client] of Object.entries(SDKS)) {
    test(`${client.name}: who is served by whom is sticky, and each is served`, async () => {
      upstream.default = any;
      const variants = new Map();
      for (let round = 0; round < 2; round += 1) {
        for (let user = 0; user < 25; user += 1) {
          const answer = await call(worker, bodyOf(client.dialect, 'turnout/trial'), { path: PATHS[client.dialect]('turnout/trial'), headers: { 'x-turnout-user': `u-${user}` } });
          assert.equal(answer.status, 200, answer.text);
          const { 'x-turnout-variant': variant, 'x-turnout-served': served } = answer.headers;
          assert.ok(served in SERVED, served);
          const { url } = await upstream.take();
          assert.ok(url.startsWith(`/${served.split('/')[0]}/`), `${url} was not served by ${served}`);
          assert.equal(variants.get(user) ?? variant, variant);
          variants.set(user, variant);
        }
      }
      assert.deepEqual([...new Set(variants.values())].sort(), ['claude', 'gemini', 'gpt']);
      // The SDK reads each.
      const seen = new Set();
      for (let round = 0; round < 60 && seen.size < 3; round += 1) {
        const { text, stop, error } = await client.run(worker, 'turnout/trial', { text: 'Hi' }, { stream: false });
        assert.equal(error, undefined, `${name}: ${error?.message}`);
        assert.equal(stop, 'stop');
        seen.add(text);
        upstream.reset();
      }
      assert.deepEqual([...seen].sort(), ['anthropic-up', 'gemini-up', 'openai-responses-up']);
    });
  }

  test('a user is the same in every dialect', async () => {
    upstream.default = any;
    for (let user = 0; user < 10; user += 1) {
      const variants = new Set();
      const units = { openai: { user: `v-${user}` }, anthropic: { metadata: { user_id: `v-${user}` } }, openai_responses: { user: `v-${user}` }, gemini: {} };
      for (const dialect of DIALECTS) {
        const answer = await ask(dialect, 'turnout/trial', units[dialect], dialect === 'gemini' ? { headers: { 'x-turnout-user': `v-${user}` } } : {});
        assert.equal(answer.status, 200, answer.text);
        variants.add(answer.headers['x-turnout-variant']);
      }
      assert.equal(variants.size, 1, [...variants].join());
    }
  });

  test('a record tells of both dialects\' call', async () => {
    upstream.next(PROVIDERS.anthropic.whole(SAID));
    const answer = await ask('gemini', 'anthropic', {});
    const record = await worker.record(answer);
    assert.deepEqual([record.dialect_in, record.dialect_out], ['gemini', 'anthropic']);
    assert.equal(record.output_tokens, 5);
    assert.ok(ADMIN_KEY && !JSON.stringify(record).includes(ADMIN_KEY));
  });
});
