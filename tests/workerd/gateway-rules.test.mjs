// Rules, plugins and the gateway's own API in the real worker: whom a call goes to, what it becomes on its way, and who may
// change that. The callers are official SDKs where their view counts.
import Anthropic from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import { call, callTo, eventually, get, sdk } from './client.mjs';
import { PROVIDERS as wire } from './dialects/answers.mjs';
import { ADMIN_KEY, ROOT, startWorker, test, workerFor } from './harness.mjs';
import { destroy, event, gatewayTo, json, routerOf, sse, startUpstream, upstreamFor } from './upstream.mjs';

const YAML = { 'content-type': 'application/yaml' };
const USAGE = { input: 9, cached: 0, output: 3, reasoning: 0 };
const TOOL = { type: 'function', function: { name: 'weather', description: 'tells it', parameters: { type: 'object', properties: { city: { type: 'string' } } } } };

/** The documented example, but for its hosts. */
function documented(upstream) {
  return readFileSync(`${ROOT}/tests/fixtures/gateway/documented.yaml`, 'utf8')
    .replace('https://api.openai.com/v1', `${upstream.origin}/openai/v1`)
    .replace('https://api.anthropic.com', `${upstream.origin}/anthropic`)
    .replace('https://my-resource.openai.azure.com/openai', `${upstream.origin}/azure/openai`);
}

const keyOf = (key, record) => [`key:${createHash('sha256').update(key).digest('hex')}`, record];

/** What the documentation says of the example, asked by OpenAI's SDK. */
async function checkDocumented(worker, upstream) {
  const client = sdk(worker);
  // `gpt-4o` goes to OpenAI unchanged, to the byte.
  const body = '{"messages":[{"role":"user","content":"h\\u00ee"}], "model":"gpt-4o","temperature":1.0,"x":[1e2]}';
  const raw = await call(worker, body);
  assert.equal(raw.status, 200, raw.text);
  assert.equal(raw.headers['x-turnout-served'], 'openai/gpt-4o');
  let sent = await upstream.take();
  assert.equal(sent.url, '/openai/v1/chat/completions');
  assert.equal(sent.text, body);
  assert.equal(sent.headers.authorization, 'Bearer sk-proj-...');

  // `azure-gpt4o` goes to Azure under the name that Azure knows.
  const azure = await client.chat.completions.create(callTo('azure-gpt4o')).withResponse();
  assert.equal(azure.data.choices[0].message.content, 'hello');
  assert.equal(azure.response.headers.get('x-turnout-served'), 'azure-openai/gpt-4o');
  sent = await upstream.take();
  assert.equal(sent.url, '/azure/openai/v1/chat/completions');
  assert.equal(sent.json.model, 'gpt-4o');

  // Sonnet: the upstream sees Anthropic, the caller OpenAI. Whole, streamed, and with a tool call.
  upstream.next(wire.anthropic.whole({ text: 'Guten Tag', stop: 'stop', usage: USAGE }));
  const whole = await client.chat.completions.create(callTo('claude-sonnet-4-20250514')).withResponse();
  assert.equal(whole.data.object, 'chat.completion');
  assert.equal(whole.data.choices[0].message.content, 'Guten Tag');
  assert.equal(whole.data.choices[0].finish_reason, 'stop');
  assert.equal(whole.response.headers.get('x-turnout-served'), 'anthropic/claude-sonnet-4-20250514');
  sent = await upstream.take();
  assert.equal(sent.url, '/anthropic/v1/messages');
  assert.equal(sent.headers['x-api-key'], 'sk-ant-...');
  assert.equal(sent.headers.authorization, undefined);
  assert.equal(sent.json.model, 'claude-sonnet-4-20250514');
  assert.ok(sent.json.max_tokens > 0, 'Messages need it');

  upstream.next(wire.anthropic.stream({ text: 'Guten Tag', stop: 'stop', usage: USAGE }));
  let text = '';
  for await (const chunk of await client.chat.completions.create(callTo('claude-sonnet-4-20250514', { stream: true }))) {
    text += chunk.choices[0]?.delta.content ?? '';
  }
  assert.equal(text, 'Guten Tag');
  await upstream.take();

  for (const stream of [false, true]) {
    const said = { calls: [{ id: 'toolu_1', name: 'weather', args: { city: 'Ulm' } }], stop: 'tools', usage: USAGE };
    upstream.next(stream ? wire.anthropic.stream(said) : wire.anthropic.whole(said));
    const ask = callTo('claude-sonnet-4-20250514', { tools: [TOOL] });
    const completion = stream
      ? await client.chat.completions.stream(ask).finalChatCompletion()
      : await client.chat.completions.create(ask);
    const [choice] = completion.choices;
    assert.equal(choice.finish_reason, 'tool_calls');
    assert.deepEqual(choice.message.tool_calls.map(({ function: { name, arguments: args } }) => [name, JSON.parse(args)]), [['weather', { city: 'Ulm' }]]);
    sent = await upstream.take();
    assert.equal(sent.json.tools[0].input_schema.properties.city.type, 'string');
  }
}

describe('the documented example', () => {
  test('works from KV, where it lies as its author wrote it', async (t) => {
    const upstream = await upstreamFor(t);
    const worker = await workerFor(t, { kv: { gateway: documented(upstream) } });
    await checkDocumented(worker, upstream);
    const listed = (await get(worker, '/v1/models')).json.data.map(({ id }) => id);
    for (const id of ['gpt-4o', 'claude-sonnet-4-20250514', 'azure-gpt4o', 'azure-openai/gpt-4o']) assert.ok(listed.includes(id), id);
    assert.equal((await get(worker, '/v1/models/azure-gpt4o')).status, 200);
  });

  test('works once it is put as it stands', async (t) => {
    const upstream = await upstreamFor(t);
    const worker = await workerFor(t);
    const put = await call(worker, documented(upstream), { method: 'PUT', path: '/router/v1/gateway', headers: YAML });
    assert.equal(put.status, 200, put.text);
    await eventually(() => call(worker, callTo('azure-gpt4o')), ({ status }) => status === 200);
    await upstream.take();
    await checkDocumented(worker, upstream);
    for (const kept of ['sk-proj-...', 'sk-ant-...', 'azure-key-...']) assert.ok(!put.text.includes(kept), kept);
  });
});

describe('whom a call goes to', () => {
  let upstream;
  let worker;
  const KEYS = { routers: { id: 'routers', scopes: ['call'] }, models: { id: 'models', scopes: ['call', 'models'], routers: ['split'] } };

  before(async () => {
    upstream = await startUpstream();
    const { downstreams } = gatewayTo(upstream, { first: ['one'], second: ['two'], claude: ['opus'], any: [] });
    downstreams[2].api_formats = ['anthropic'];
    const rules = [
      { id: 'both', pattern_path: '*', pattern_model: 'both', match_downstreams: ['first', 'second'] },
      { id: 'one', pattern_path: '*', pattern_model: 'one', match_downstreams: ['second'] },
      { id: 'chat', pattern_path: '/v1/chat/completions', pattern_model: 'split', match_format: ['openai'], match_downstreams: ['first'] },
      { id: 'other', pattern_path: '/v1/messages', match_downstreams: ['any'] },
      { id: 'tag', pattern_path: '*', match_downstreams: ['second'], pipeline_config: [{ plugin_id: 'custom_header', config: { headers: { 'X-Tag': 'a b', 'User-Agent': 'mine' } } }] },
      { id: 'bare', pattern_path: '*', match_downstreams: ['claude'], pipeline_config: [{ plugin_id: 'remove_thinking' }, { plugin_id: 'fix_anthropic_usage' }, { plugin_id: 'break_repeat' }] },
    ];
    worker = await startWorker({
      kv: {
        gateway: { downstreams, rules },
        'router:split': routerOf({ a: ['second/two', 100] }),
        'router:thoughtful': routerOf({ a: ['claude/opus', 100] }),
        ...Object.fromEntries(Object.entries(KEYS).map(([key, record]) => keyOf(key, record))),
      },
    });
  });
  after(async () => {
    await worker?.stop();
    await upstream?.close();
  });

  const served = async (path, body, options) => {
    const answer = await call(worker, body, { path, ...options });
    return [answer.status, answer.headers['x-turnout-served'] ?? answer.json.error?.code ?? answer.json.error?.type];
  };
  const CHAT = '/v1/chat/completions';

  test('a rule that names the model, before whoever lists it and before a bare router name', async () => {
    for (const [model, expected] of [
      ['one', 'second/two'],
      ['two', 'second/two'],
      ['first/one', 'first/one'],
      ['split', 'first/one'],
      ['turnout/split', 'second/two'],
      ['routers/split', 'second/two'],
    ]) {
      assert.deepEqual(await served(CHAT, callTo(model)), [200, expected], model);
      await upstream.take();
    }
  });

  test('several downstreams are called one after the other', async () => {
    upstream.next(json({ error: { message: 'overloaded' } }, { status: 503 }));
    const answer = await call(worker, callTo('both'));
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.headers['x-turnout-attempts'], /^first\/one:.*,second\/two:/);
    const [first, second] = [await upstream.take(), await upstream.take()];
    assert.deepEqual([first.json.model, second.json.model], ['one', 'two']);
    // A request's own fallbacks may be names of rules.
    upstream.next(json({ error: { message: 'overloaded' } }, { status: 503 }));
    const other = await call(worker, callTo('any/x', { models: ['one'] }));
    assert.match(other.headers['x-turnout-attempts'], /^any\/x:.*,second\/two:/);
    await upstream.take();
    await upstream.take();
  });

  test('a rule for every model takes what nothing else knows, where its filters hold', async () => {
    const message = { model: 'nobody-knows', max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] };
    assert.deepEqual(await served('/v1/messages', message), [200, 'any/nobody-knows']);
    await upstream.take();
    assert.deepEqual(await served(CHAT, callTo('nobody-knows')), [200, 'second/two'], 'the rule that tags picks, too');
    await upstream.take();
    assert.deepEqual(await served('/v1/messages', { ...message, model: 'nobody/knows' }), [200, 'any/nobody/knows']);
    await upstream.take();
  });

  test('rules are direct models: they need the scope', async () => {
    assert.deepEqual(await served(CHAT, callTo('one'), { key: 'routers' }), [403, 'model_not_allowed']);
    assert.deepEqual(await served(CHAT, callTo('nobody-knows'), { key: 'routers' }), [404, 'model_not_found']);
    assert.deepEqual(await served(CHAT, callTo('turnout/split'), { key: 'routers' }), [200, 'second/two']);
    await upstream.take();
    for (const model of ['one', 'nobody-knows']) {
      assert.deepEqual(await served(CHAT, callTo(model), { key: 'models' }), [200, 'second/two'], model);
      await upstream.take();
    }
    const listed = async (key) => (await get(worker, '/v1/models', { key })).json.data.map(({ id }) => id);
    assert.ok(!(await listed('routers')).includes('both'));
    assert.ok((await listed('models')).includes('both'));
  });

  test('headers are added, in place of ours of the same name', async () => {
    await served(CHAT, callTo('two'));
    const { headers } = await upstream.take();
    assert.equal(headers['x-tag'], 'a b');
    assert.equal(headers['user-agent'], 'mine');
    assert.equal(headers['content-type'], 'application/json');
    await served(CHAT, callTo('first/one'));
    assert.equal((await upstream.take()).headers['x-tag'], undefined);
  });

  const thought = { thinking: 'hm hm', signature: 'sig', text: 'Guten Tag', stop: 'stop', usage: { ...USAGE, reasoning: 2 } };

  test('thoughts are taken out, whole and streamed, native and translated, also of a router\'s target', async () => {
    const anthropic = new Anthropic({ baseURL: worker.url, apiKey: ADMIN_KEY, maxRetries: 0 });
    const ask = { model: 'turnout/thoughtful', max_tokens: 99, messages: [{ role: 'user', content: 'Hi' }] };
    upstream.next(wire.anthropic.whole(thought));
    const whole = await anthropic.messages.create(ask);
    assert.deepEqual(whole.content.map(({ type, text }) => [type, text]), [['text', 'Guten Tag']]);
    assert.equal((await upstream.take()).json.model, 'opus');
    upstream.next(wire.anthropic.stream(thought));
    const events = [];
    const stream = anthropic.messages.stream(ask).on('streamEvent', (one) => events.push(one));
    const final = await stream.finalMessage();
    assert.deepEqual(final.content.map(({ type, text }) => [type, text]), [['text', 'Guten Tag']]);
    assert.deepEqual(events.filter(({ index }) => index !== undefined).map(({ index }) => index), Array(4).fill(0));
    await upstream.take();
    for (const streamed of [false, true]) {
      upstream.next(streamed ? wire.anthropic.stream(thought) : wire.anthropic.whole(thought));
      const answer = await call(worker, callTo('claude/opus', { stream: streamed }));
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.text, /Guten/);
      assert.doesNotMatch(answer.text, /hm|sig/);
      const record = await worker.record(answer);
      assert.equal(record.output_tokens, 3, 'thoughts are paid for');
      await upstream.take();
    }
  });

  test('counts that are made up for the caller are not recorded', async () => {
    const named = (data) => `event: ${data.type}\n${event(data)}`;
    const chunks = [
      named({ type: 'message_start', message: { id: 'msg', type: 'message', role: 'assistant', model: 'opus', content: [], stop_reason: null } }),
      named({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
      named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hi' } }),
      named({ type: 'content_block_stop', index: 0 }),
      named({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null } }),
      named({ type: 'message_stop' }),
    ];
    upstream.next(sse(chunks));
    const answer = await call(worker, { model: 'claude/opus', max_tokens: 9, stream: true, messages: [{ role: 'user', content: 'Hi' }] }, { path: '/v1/messages' });
    await upstream.take();
    const usages = answer.text.match(/"usage":\{[^}]*\}/g);
    assert.deepEqual(usages, Array(2).fill('"usage":{"input_tokens":0,"output_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}'));
    const record = await worker.record(answer);
    assert.equal(record.outcome, 'ok');
    assert.deepEqual([record.input_tokens, record.output_tokens], [null, null], 'unknown, and not 0');
  });

  test('who goes in circles is told so, and all else of the body keeps its bytes', async () => {
    const turn = '{"role":"assistant","content":"again"},{"role":"user","content":[{"type":"text","text":"no"}]}';
    const body = (turns) => `{"max_tokens":9, "model":"claude/opus","messages":[{"role":"user","content":"Hi"},${turns}]}`;
    for (const [rounds, told] of [[2, false], [3, true]]) {
      const text = body(Array(rounds).fill(turn).join(','));
      upstream.next(wire.anthropic.whole({ text: 'ok', stop: 'stop', usage: USAGE }));
      const answer = await call(worker, text, { path: '/v1/messages' });
      assert.equal(answer.status, 200, answer.text);
      const sent = await upstream.take();
      const plain = text.replace('claude/opus', 'opus');
      if (!told) assert.equal(sent.text, plain);
      else assert.ok(sent.text.startsWith(plain.slice(0, -4)) && sent.text.includes('going round in circles'), sent.text);
    }
  });

  test('an error after hidden thoughts alone is a status; after words it ends the stream', async () => {
    const ask = { model: 'claude/opus', max_tokens: 9, stream: true, messages: [{ role: 'user', content: 'Hi' }] };
    const named = (data) => `event: ${data.type}\n${event(data)}`;
    const block = (index, content_block, delta) => [
      named({ type: 'content_block_start', index, content_block }),
      named({ type: 'content_block_delta', index, delta }),
    ];
    const start = named({ type: 'message_start', message: { id: 'msg', type: 'message', role: 'assistant', model: 'opus', content: [], usage: { input_tokens: 3, output_tokens: 1 } } });
    const thoughts = block(0, { type: 'thinking', thinking: '' }, { type: 'thinking_delta', thinking: 'hm' });
    const words = block(1, { type: 'text', text: '' }, { type: 'text_delta', text: 'Guten' });
    const failure = named({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } });

    upstream.next(sse([start, ...thoughts, failure]));
    const early = await call(worker, ask, { path: '/v1/messages' });
    await upstream.take();
    assert.equal(early.status, 529, early.text);
    assert.equal(early.json.error.type, 'overloaded_error');

    upstream.next(sse([start, ...thoughts, ...words, failure]));
    const late = await call(worker, ask, { path: '/v1/messages' });
    await upstream.take();
    assert.equal(late.status, 200);
    assert.match(late.text, /Guten[^]*event: error/);
    assert.doesNotMatch(late.text, /hm/);
    assert.equal((await worker.record(late)).outcome, 'in_band_error');

    // One that breaks off is ended as any other.
    upstream.next({ headers: { 'content-type': 'text/event-stream' }, chunks: [start, ...thoughts, ...words, destroy] });
    const broken = await call(worker, ask, { path: '/v1/messages' });
    await upstream.take();
    assert.match(broken.text, /Guten[^]*event: error/);
    assert.equal((await worker.record(broken)).outcome, 'cut');
  });
});

describe('the gateway\'s own API', () => {
  const GATEWAY = { id: 'gw', name: 'a gateway key', scopes: ['read', 'gateway'] };
  const keys = Object.fromEntries([keyOf('gw', GATEWAY), keyOf('reader', { id: 'reader', scopes: ['read'] })]);
  const ask = (worker, line, body, options = {}) => {
    const [method, path] = line.split(' ');
    return call(worker, body, { method, path: `/router/v1/gateway${path ?? ''}`, key: 'gw', ...options });
  };
  const check = async (worker, line, body, status, options) => {
    const answer = await ask(worker, line, body, options);
    assert.equal(answer.status, status, `${line}: ${answer.text}`);
    assert.doesNotMatch(answer.text, /sk-|azure-key/);
    return answer;
  };

  test('shows, changes and rolls back, whole and by item, in JSON and YAML, and never a key', async (t) => {
    const upstream = await upstreamFor(t);
    const worker = await workerFor(t, { kv: keys });
    assert.deepEqual((await check(worker, 'GET', undefined, 200)).json, { downstreams: [], rules: [] });
    const put = await check(worker, 'PUT', documented(upstream), 200, { headers: YAML });
    assert.equal(put.headers['x-turnout-revision'], '1');
    assert.equal(put.json.downstreams[0].api_key, '***');
    assert.equal(put.json.warnings.length, 1);
    const etag = put.headers.etag;
    // In YAML, and back unchanged: nothing is new.
    const yaml = await check(worker, 'GET', undefined, 200, { headers: { accept: 'application/yaml' } });
    assert.equal(yaml.headers['content-type'], 'application/yaml');
    assert.match(yaml.text, /^downstreams:\n {2}- id: openai\n/);
    const again = await check(worker, 'PUT', yaml.text, 200, { headers: { ...YAML, 'if-match': etag } });
    assert.equal(again.headers.etag, etag);
    await eventually(async () => String(worker.kv.get('gateway')), (stored) => stored.includes('sk-proj-...'));

    const item = await check(worker, 'GET /downstreams/azure-openai', undefined, 200);
    assert.equal(item.json.api_key, '***');
    await check(worker, 'GET /downstreams/nobody', undefined, 404);
    await check(worker, 'DELETE /downstreams/azure-openai', undefined, 409);
    await check(worker, 'DELETE /rules/azure-rule', undefined, 200);
    await check(worker, 'DELETE /downstreams/azure-openai', undefined, 200);
    const rules = await check(worker, 'GET /rules', undefined, 200);
    assert.deepEqual(rules.json.rules.map(({ id }) => id), ['gpt4o-rule', 'sonnet-rule']);
    const added = '- id: mine\n  base_url: http://127.0.0.1:9\n  api_key: sk-mine\n- id: yours\n  base_url: http://127.0.0.1:9\n';
    await check(worker, 'POST /downstreams', added, 200, { headers: YAML });
    await check(worker, 'POST /downstreams', added, 409, { headers: YAML });
    // A key goes to its host alone.
    const moved = await check(worker, 'PUT /downstreams/mine', { base_url: 'https://evil.example' }, 400);
    assert.match(moved.json.error.details[0].message, /write the key again/);
    const stolen = await check(worker, 'PUT /downstreams/yours', { base_url: 'https://evil.example', api_key: '${OPENAI_API_KEY}' }, 403);
    assert.match(stolen.json.error.message, /only ADMIN_KEY may send a secret to another host/);
    await check(worker, 'PUT /downstreams/yours', { base_url: 'https://evil.example', api_key: '${OPENAI_API_KEY}' }, 200, { key: ADMIN_KEY });
    await check(worker, 'PUT /downstreams/yours', { base_url: 'https://169.254.169.254/latest', api_key: 'k' }, 400);
    await check(worker, 'PUT /rules/r', { pattern_path: '/v1/embeddings' }, 400);
    await check(worker, 'PUT', 'a: &x [1]\nb: *x\n', 400, { headers: YAML });
    await check(worker, 'PUT', 'x', 400, { headers: { 'content-type': 'text/plain' } });
    await check(worker, 'PUT', {}, 403, { key: 'reader' });
    await check(worker, 'PUT', {}, 412, { headers: { 'if-match': etag } });
    const history = await check(worker, 'GET /history', undefined, 200);
    assert.ok(history.json.revisions.length >= 5);
    assert.equal(history.json.revisions.at(-1).summary, 'downstream openai, anthropic, azure-openai added; rule gpt4o-rule, sonnet-rule, azure-rule added');
    const back = await call(worker, { revision: 1 }, { path: '/router/v1/gateway:rollback', key: 'gw' });
    assert.equal(back.status, 200, back.text);
    assert.deepEqual(back.json.downstreams.map(({ id }) => id), ['openai', 'anthropic', 'azure-openai']);
    // Not to a state in which a secret went elsewhere.
    const evil = history.json.revisions.find(({ author }) => author.id === 'admin').revision;
    const refused = await call(worker, { revision: evil }, { path: '/router/v1/gateway:rollback', key: 'gw' });
    assert.equal(refused.status, 403, refused.text);
    assert.doesNotMatch(worker.log(), /sk-proj|sk-mine|azure-key/);
  });
});
