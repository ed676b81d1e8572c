// Variants that are more than a model: parameters and prompts, in each dialect and between dialects; what an upstream gets, what
// the caller is told, and that each arm is an epoch of its own. And the order in which models are tried: `provider.order`, `sort`, `auto`.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { call, callTo } from './client.mjs';
import { PROVIDERS } from './dialects/answers.mjs';
import { fourUpstreams, routerTo } from './dialects/upstreams.mjs';
import { ADMIN_KEY, startWorker, test } from './harness.mjs';
import { completion, json, startUpstream } from './upstream.mjs';

const DIALECTS = ['openai', 'anthropic', 'openai_responses', 'gemini'];

const PARAMETERS = { maxTokens: 1000, temperature: 0.5, top_p: 1.0 };
const TEMPLATES = [
  { role: 'system', content: 'You serve {{plan}} users.' },
  { role: 'user', content: 'Ping' },
  { role: 'assistant', content: 'Pong {{ n }}' },
];

/** A router whose calls all go to one treated variant. */
function treated(model, variant = { text_generation_config: PARAMETERS, message_templates: TEMPLATES }, weights = { treated: 100, plain: 0 }) {
  return { default_route: { variants: [
    { variant: { variant_id: 'treated', model_id: model, ...variant }, weight: weights.treated },
    { variant: { variant_id: 'plain', model_id: model }, weight: weights.plain },
  ] } };
}

let upstream;
let worker;

before(async () => {
  upstream = await startUpstream();
  const routers = Object.fromEntries(DIALECTS.map((dialect) => [`router:${routerTo('all', dialect)}`, treated(`${dialect.replace('_', '-')}-up/m1`)]));
  worker = await startWorker({
    vars: { DEMO: 'on' },
    kv: {
      gateway: fourUpstreams(upstream),
      ...routers,
      'router:split': treated('openai-up/m1', undefined, { treated: 50, plain: 50 }),
      'router:plain': treated('openai-up/m1', {}, { treated: 50, plain: 50 }),
      'router:stops': treated('openai-responses-up/m1', { text_generation_config: { stop_sequences: ['END'], seed: 7 } }),
      'router:defaults': { defaults: { text_generation_config: { temperature: 0.25 } }, ...treated('openai-up/m1', {}) },
      'router:demo-arm': treated('demo/sage', { message_templates: [{ role: 'user', content: 'Say {{word}}' }] }),
      'router:ordered': { default_route: { variants: [{ variant: { variant_id: 'only', model_id: 'openai-up/slow', model_selection: { models: ['anthropic-up/m1'], provider: { order: ['anthropic-up'] } } }, weight: 100 }] } },
      'router:quick': { default_route: { variants: [{ variant: { variant_id: 'only', model_id: 'openai-up/slow', model_selection: { models: ['openai-up/quick'], sort: [{ metric: 'SORT_METRIC_LATENCY' }] } }, weight: 100 }] } },
    },
  });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

beforeEach(() => upstream.reset());

const SAID = { text: 'Hello', stop: 'stop', usage: { input: 20, cached: 8, output: 5, reasoning: 0 } };
const VARIABLES = { plan: 'free "é"', n: 1.5 };

/** Each dialect's SDK, with a call to a router, whole or streamed, that has settings and prompts of its own; resolves with the text. */
const CLIENTS = {
  openai: {
    async ask(router, stream) {
      const client = new OpenAI({ baseURL: `${worker.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0 });
      const body = { model: `turnout/${router}`, temperature: 2, max_completion_tokens: 7, messages: [{ role: 'system', content: 'Own' }, { role: 'user', content: 'Hi' }], prompt_variables: VARIABLES };
      if (!stream) return (await client.chat.completions.create(body)).choices[0].message.content;
      let text = '';
      for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) text += chunk.choices[0]?.delta?.content ?? '';
      return text;
    },
  },
  anthropic: {
    async ask(router, stream) {
      const client = new Anthropic({ baseURL: worker.url, apiKey: ADMIN_KEY, maxRetries: 0 });
      const body = { model: `turnout/${router}`, temperature: 1, max_tokens: 7, system: 'Own', messages: [{ role: 'user', content: 'Hi' }], prompt_variables: VARIABLES };
      const message = stream ? await client.messages.stream(body).finalMessage() : await client.messages.create(body);
      return message.content.filter(({ type }) => type === 'text').map(({ text }) => text).join('');
    },
  },
  openai_responses: {
    async ask(router, stream) {
      const client = new OpenAI({ baseURL: `${worker.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0 });
      const body = { model: `turnout/${router}`, temperature: 2, max_output_tokens: 20, instructions: 'Own', input: 'Hi', prompt_variables: VARIABLES };
      if (!stream) return (await client.responses.create(body)).output_text;
      let text = '';
      for await (const event of await client.responses.create({ ...body, stream: true })) if (event.type === 'response.output_text.delta') text += event.delta;
      return text;
    },
  },
  gemini: {
    async ask(router, stream) {
      const client = new GoogleGenAI({ apiKey: ADMIN_KEY, httpOptions: { baseUrl: worker.url, extraBody: { prompt_variables: VARIABLES } } });
      const body = { model: router, contents: 'Hi', config: { temperature: 2, maxOutputTokens: 7, systemInstruction: 'Own' } };
      if (!stream) return (await client.models.generateContent(body)).text;
      let text = '';
      for await (const chunk of await client.models.generateContentStream(body)) text += chunk.text ?? '';
      return text;
    },
  },
};

const SYSTEM = 'You serve free "é" users.';

/** What an upstream of each dialect has to get, whoever asked. */
const GETS = {
  openai(body) {
    assert.equal(body.max_tokens ?? body.max_completion_tokens, 1000);
    assert.deepEqual([body.temperature, body.top_p], [0.5, 1]);
    const texts = body.messages.map(({ role, content }) => [role, typeof content === 'string' ? content : content.map(({ text }) => text).join('')]);
    assert.equal(texts.filter(([role]) => role === 'system').map(([, text]) => text).join('\n\n'), `${SYSTEM}\n\nOwn`);
    assert.deepEqual(texts.filter(([role]) => role !== 'system'), [['user', 'Ping'], ['assistant', 'Pong 1.5'], ['user', 'Hi']]);
  },
  anthropic(body) {
    assert.deepEqual([body.max_tokens, body.temperature, body.top_p], [1000, 0.5, 1]);
    assert.deepEqual(body.system.map(({ text }) => text), [SYSTEM, 'Own']);
    const texts = body.messages.map(({ role, content }) => [role, typeof content === 'string' ? content : content.map(({ text }) => text).join('')]);
    assert.deepEqual(texts, [['user', 'Ping'], ['assistant', 'Pong 1.5'], ['user', 'Hi']]);
  },
  openai_responses(body) {
    assert.deepEqual([body.max_output_tokens, body.temperature, body.top_p], [1000, 0.5, 1]);
    assert.match(body.instructions, /^You serve free "é" users\./);
    const texts = body.input.map(({ role, content }) => [role, typeof content === 'string' ? content : content.map(({ text }) => text).join('')]);
    assert.deepEqual(texts.filter(([role]) => role === 'user' || role === 'assistant'), [['user', 'Ping'], ['assistant', 'Pong 1.5'], ['user', 'Hi']]);
    assert.match(JSON.stringify(body), /Own/);
  },
  gemini(body) {
    const { maxOutputTokens, temperature, topP } = body.generationConfig;
    assert.deepEqual([maxOutputTokens, temperature, topP], [1000, 0.5, 1]);
    assert.deepEqual(body.systemInstruction.parts.map(({ text }) => text), [SYSTEM, 'Own']);
    assert.deepEqual(body.contents.map(({ role, parts }) => [role, parts.map(({ text }) => text).join('')]), [['user', 'Ping'], ['model', 'Pong 1.5'], ['user', 'Hi']]);
  },
};

describe('parameters and prompts', () => {
  for (const from of DIALECTS) {
    for (const to of DIALECTS) {
      for (const stream of [false, true]) {
        test(`${from} → ${to}, ${stream ? 'streamed' : 'whole'}`, async () => {
          upstream.next(stream ? PROVIDERS[to].stream(SAID) : PROVIDERS[to].whole(SAID));
          assert.equal(await CLIENTS[from].ask(routerTo('all', to), stream), 'Hello');
          const exchange = await upstream.take();
          GETS[to](exchange.json);
          assert.doesNotMatch(exchange.text, /prompt_variables/);
        });
      }
    }
  }

  test('the caller\'s bytes, but for what the variant names', async () => {
    upstream.next(json(completion('x')));
    const sent = '{ "zeta" : 1.00, "temperature":\t2 ,"model":"turnout/all-to-openai", "messages":[ {"role":"user","content":"\\u00e9\\/é"} ],"extra_body":{"prompt_variables":{"plan":"a","n":"b"}} }';
    const answer = await call(worker, sent);
    assert.equal(answer.status, 200, answer.text);
    const { text } = await upstream.take();
    assert.equal(text, '{ "zeta" : 1.00, "temperature":\t0.5 ,"model":"m1", "messages":[{"role":"system","content":"You serve a users."},{"role":"user","content":"Ping"},{"role":"assistant","content":"Pong b"}, {"role":"user","content":"\\u00e9\\/é"} ],"top_p":1,"max_tokens":1000 }');
    assert.equal(answer.headers['x-turnout-note'], undefined);
  });

  test('a stream whose usage we ask for is treated too', async () => {
    upstream.next(PROVIDERS.openai.stream(SAID));
    const answer = await call(worker, callTo('turnout/all-to-openai', { stream: true, prompt_variables: VARIABLES }));
    assert.equal(answer.status, 200, answer.text);
    const { json: body } = await upstream.take();
    assert.deepEqual([body.stream_options, body.max_tokens], [{ include_usage: true }, 1000]);
  });

  test('a variable that is missing is a 400 that names it, and is recorded', async () => {
    const answer = await call(worker, callTo('turnout/all-to-openai', { prompt_variables: { n: 1 } }));
    assert.equal(answer.status, 400);
    assert.equal(answer.json.error.param, 'prompt_variables.plan');
    assert.equal(answer.headers['x-turnout-variant'], 'treated');
    const record = await worker.record(answer);
    assert.equal(record.outcome, 'refused');
    assert.equal(upstream.untaken, 0);
  });

  test('what a downstream cannot be told is noted, and never the caller\'s fault', async () => {
    upstream.next(PROVIDERS.openai_responses.whole(SAID));
    const same = await call(worker, { model: 'turnout/stops', input: 'Hi' }, { path: '/v1/responses' });
    assert.equal(same.status, 200, same.text);
    assert.equal(same.headers['x-turnout-note'], 'not sent to openai_responses: `seed`, stop sequences');
    upstream.next(PROVIDERS.openai_responses.whole(SAID));
    const translated = await call(worker, callTo('turnout/stops'));
    assert.equal(translated.status, 200, translated.text);
    assert.equal(translated.headers['x-turnout-note'], 'not sent to openai_responses: `seed`, stop sequences');
  });

  test('a count of tokens counts the prompts', async () => {
    upstream.next(json({ input_tokens: 12 }));
    const body = { model: 'turnout/all-to-anthropic', messages: [{ role: 'user', content: 'Hi' }], prompt_variables: VARIABLES };
    const answer = await call(worker, body, { path: '/v1/messages/count_tokens' });
    assert.equal(answer.status, 200, answer.text);
    const exchange = await upstream.take();
    assert.equal(exchange.url, '/anthropic-up/v1/messages/count_tokens');
    assert.deepEqual(exchange.json.system, [{ type: 'text', text: SYSTEM }]);
    assert.equal(exchange.json.messages.length, 3);
    assert.equal(exchange.json.max_tokens, undefined);
  });

  test('defaults are every variant\'s', async () => {
    upstream.next(json(completion('x')));
    await call(worker, callTo('turnout/defaults'));
    assert.equal((await upstream.take()).json.temperature, 0.25);
  });

  test('a demo model hears the prompts', async () => {
    const answer = await call(worker, callTo('turnout/demo-arm', { prompt_variables: { word: 'x' } }));
    assert.equal(answer.status, 200, answer.text);
    const { usage } = answer.json;
    const plain = await call(worker, callTo('demo/sage'));
    assert.ok(usage.prompt_tokens > plain.json.usage.prompt_tokens, `${usage.prompt_tokens} of ${plain.json.usage.prompt_tokens}`);
  });

  test('another arm is another epoch', async () => {
    const epoch = async (router) => {
      const answer = await call(worker, callTo(`turnout/${router}`, { user: 'u', prompt_variables: VARIABLES }));
      assert.equal(answer.status, 200, answer.text);
      return (await worker.record(answer)).epoch;
    };
    const [split, plain] = [await epoch('split'), await epoch('plain')];
    assert.match(split, /^[0-9a-f]{16}$/);
    assert.notEqual(split, plain);
    assert.equal(await epoch('split'), split);
  });

  test('both arms of a split are served, each as it is', async () => {
    const seen = {};
    for (let user = 0; user < 20; user++) {
      const answer = await call(worker, callTo('turnout/split', { user: `u${user}`, prompt_variables: VARIABLES }));
      const { json: body } = await upstream.take();
      seen[answer.headers['x-turnout-variant']] = [body.messages.length, body.temperature];
    }
    assert.deepEqual(seen, { treated: [4, 0.5], plain: [1, undefined] });
  });
});

describe('the order of models', () => {
  test('a provider that is preferred is tried first, and the assignment stays', async () => {
    upstream.next(PROVIDERS.anthropic.whole(SAID));
    const answer = await call(worker, callTo('turnout/ordered'));
    assert.equal(answer.headers['x-turnout-served'], 'anthropic-up/m1');
    assert.equal(answer.headers['x-turnout-variant'], 'only');
    upstream.next(json(completion('x')));
    const asked = await call(worker, callTo('turnout/ordered', { extra_body: { provider: { order: ['openai-up'] } } }));
    assert.equal(asked.headers['x-turnout-served'], 'openai-up/slow');
    for (const _ of [1, 2]) assert.doesNotMatch((await upstream.take()).text, /provider/);
  });

  test('auto chooses among the request\'s models', async () => {
    const pool = { models: ['openai-up/a', 'anthropic-up/b', 'openai-up/c'] };
    const served = async (rest) => {
      const answer = await call(worker, callTo('auto', { ...pool, ...rest }));
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-turnout-router'], undefined);
      return answer.headers['x-turnout-served'];
    };
    assert.equal(await served({}), 'openai-up/a');
    assert.equal(await served({ ignore: ['openai-up/a', 'anthropic-up'] }), 'openai-up/c');
    upstream.next(PROVIDERS.anthropic.whole(SAID));
    assert.equal(await served({ provider: { order: ['anthropic-up'] } }), 'anthropic-up/b');
    assert.doesNotMatch((await upstream.take()).text, /"models"/);
  });

  test('auto without models is a 400 that says so', async () => {
    for (const rest of [{}, { models: [] }]) {
      const answer = await call(worker, callTo('auto', rest));
      assert.equal(answer.status, 400);
      assert.equal(answer.json.error.param, 'models');
    }
  });

  test('what nothing is known of is noted', async () => {
    const answer = await call(worker, callTo('auto', { models: ['openai-up/x', 'openai-up/y'], sort: ['price'] }));
    assert.equal(answer.headers['x-turnout-note'], 'not sorted by price, of which nothing is known yet');
    assert.equal(answer.headers['x-turnout-served'], 'openai-up/x');
  });

  test('the quickest to its first token comes first, once that is known', async () => {
    const timed = async (model, milliseconds) => {
      const script = PROVIDERS.openai.stream(SAID);
      const later = new Promise((done) => setTimeout(done, milliseconds));
      upstream.next({ ...script, chunks: [later, ...script.chunks] });
      const answer = await call(worker, callTo(model, { stream: true }));
      assert.equal(answer.status, 200, answer.text);
      return answer;
    };
    const first = await timed('turnout/quick', 150);
    assert.equal(first.headers['x-turnout-served'], 'openai-up/slow');
    assert.match(first.headers['x-turnout-note'], /^not sorted by latency/);
    // One that is known comes before one that is not.
    assert.equal((await timed('turnout/quick', 150)).headers['x-turnout-served'], 'openai-up/slow');
    await timed('openai-up/quick', 1);
    const last = await timed('turnout/quick', 1);
    assert.equal(last.headers['x-turnout-served'], 'openai-up/quick');
    assert.equal(last.headers['x-turnout-variant'], 'only');
    assert.equal(last.headers['x-turnout-note'], undefined);
  });
});
