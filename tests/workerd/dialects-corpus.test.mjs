// Recordings of real providers (`../shared/corpus`): what a client SDK of any dialect reads through the worker is what the
// provider's own official SDK reads of the same bytes with nothing between them. Skipped where the corpus is absent.
//
// In scope: text, calls, stop, usage, errors. Out of scope: thoughts (`tests/native/translate.rs`), what is asked.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { SDKS } from './dialects/clients.mjs';
import { EXCEPTIONS, OWN_ONLY } from './dialects/corpus-exceptions.mjs';
import { downstreamOf, fourUpstreams, routerTo } from './dialects/upstreams.mjs';
import { ROOT, startWorker, test } from './harness.mjs';
import { json, routerOf, sse, startUpstream } from './upstream.mjs';

const CORPUS = ['../shared/corpus', '../../shared/corpus'].map((path) => join(ROOT, path)).find((path) => existsSync(path));
const CLIENTS = Object.values(SDKS);
const DIALECTS = CLIENTS.map(({ dialect }) => dialect);
const ASK = { text: 'Go on.' };
const FOLDERS = { anthropic: 'anthropic', google: 'gemini', 'openai-responses': 'openai_responses', 'xai-responses': 'openai_responses' };

function recordings() {
  const files = readdirSync(CORPUS, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    .flatMap((folder) => readdirSync(join(CORPUS, folder.name)).map((file) => [folder.name, file]));
  return files.filter(([, file]) => /\.(json|chunks\.txt|sse)$/.test(file)).sort().map(([folder, file]) => {
    const text = readFileSync(join(CORPUS, folder, file), 'utf8');
    const dialect = FOLDERS[folder] ?? (/"type": ?"response\.|"object": ?"response"/.test(text) ? 'openai_responses' : 'openai');
    const stream = !file.endsWith('.json');
    const script = stream ? sse(file.endsWith('.sse') ? [text] : framed(dialect, text)) : json(text, { status: file.endsWith('error.json') ? 400 : 200 });
    return { name: `${folder}/${file}`, dialect, stream, script };
  });
}

/** The payloads as the provider framed them. */
function framed(dialect, text) {
  const events = text.split('\n').filter((line) => line !== '').map((line) => {
    if (dialect === 'gemini') return `data: ${line}\r\n\r\n`;
    const { type } = JSON.parse(line);
    return dialect !== 'openai' && type ? `event: ${type}\ndata: ${line}\n\n` : `data: ${line}\n\n`;
  });
  return dialect === 'openai' ? [...events, 'data: [DONE]\n\n'] : events;
}

/** What an SDK makes of the next script at `url`. */
async function read(client, url, model, { dialect, stream, script }) {
  upstream.reset();
  upstream.next(script);
  let seen;
  try {
    seen = await client.run({ url }, model, ASK, { stream, strict: client.dialect !== dialect });
  } catch (error) {
    return { thrown: `${error.name}: ${error.message}`.split('\n')[0] };
  }
  assert.equal(upstream.untaken, 1, 'one request reaches the upstream');
  const { text, stop, refused, usage, error, turn } = seen;
  if (error) return { text, error: error.status ?? error.message.slice(0, 60) };
  // A list with holes where the provider's indices have them.
  const calls = client.dialect === 'gemini' ? geminiCalls(turn) : seen.calls.filter(() => true);
  return {
    text: text || refused || '',
    calls: calls.map(({ name, args }) => ({ name, args })),
    stop,
    usage: usage ? { input: usage.input, output: usage.output } : undefined,
    own: ownOnly(client.dialect, turn),
  };
}

/** What every dialect has a word for. */
const COMMON = {
  openai_responses: ['message', 'reasoning', 'function_call', 'custom_tool_call'],
  anthropic: ['text', 'thinking', 'redacted_thinking', 'tool_use'],
  gemini: ['text', 'functionCall'],
};

/** The kinds of items, blocks or parts in an answer that only its dialect has, in order. */
function ownOnly(dialect, turn) {
  if (dialect === 'openai') return [];
  const kinds = dialect === 'gemini' ? turn.flatMap((part) => Object.keys(part)).filter((name) => !['thought', 'thoughtSignature'].includes(name)) : turn.map(({ type }) => type);
  return [...new Set(kinds)].filter((kind) => !COMMON[dialect].includes(kind)).sort();
}

/** Calls with the arguments that came in pieces (`partialArgs`), which the SDK leaves to the app. */
function geminiCalls(parts) {
  const calls = [];
  let open;
  for (const { functionCall } of parts) {
    if (!functionCall) continue;
    const { name, args, partialArgs = [], willContinue } = functionCall;
    if (!open) calls.push(open = { name, args: args ?? {} });
    for (const { jsonPath, stringValue, numberValue, boolValue } of partialArgs) grow(open.args, jsonPath, stringValue ?? numberValue ?? boolValue ?? null);
    if (!willContinue) open = undefined;
  }
  return calls;
}

/** Puts a value where `$.a[0].b` says; text is added to the text there. */
function grow(root, path, value) {
  const steps = [...path.matchAll(/\.([^.[\]]+)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index));
  const last = steps.pop();
  const at = steps.reduce((place, step, index) => (place[step] ??= typeof (steps[index + 1] ?? last) === 'number' ? [] : {}), root);
  at[last] = typeof at[last] === 'string' && typeof value === 'string' ? at[last] + value : value;
}

/** The members that are not the same, `{member: [source's, client's]}`, with long texts cut. */
function differences(source, got) {
  const names = new Set([...Object.keys(source), ...Object.keys(got)]);
  const cut = (value) => (typeof value === 'string' ? value.slice(0, 40) : (value ?? null));
  return Object.fromEntries([...names].filter((name) => name !== 'own' && !isDeepStrictEqual(plain(got[name]), plain(source[name]))).map((name) => [name, [cut(source[name]), cut(got[name])]]));
}

/** Without an SDK's classes and prototypes. */
const plain = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

let upstream;
let worker;

before(async () => {
  if (!CORPUS) return;
  upstream = await startUpstream();
  const routers = CLIENTS.flatMap(({ model }) => DIALECTS.map((dialect) => [`router:${routerTo(model, dialect)}`, routerOf({ only: [`${downstreamOf(dialect)}/m1`, 100] })]));
  worker = await startWorker({ kv: { gateway: fourUpstreams(upstream), ...Object.fromEntries(routers) } });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

if (!CORPUS) test('SKIPPED: recordings of real providers (../shared/corpus) are not here', (context) => context.skip('no ../shared/corpus'));

for (const recording of CORPUS ? recordings() : []) {
  describe(recording.name, () => {
    const own = CLIENTS.find(({ dialect }) => dialect === recording.dialect);
    let source;
    before(async () => { source = await read(own, upstream.origin, own.model, recording); });
    for (const client of CLIENTS) {
      test(`→ ${client.name}`, async () => {
        const got = await read(client, worker.url, routerTo(client.model, recording.dialect), recording);
        const found = differences(source, got);
        const exception = EXCEPTIONS.find(({ name, client: to }) => name === recording.name && to === client.dialect);
        assert.deepEqual(found, exception?.differs ?? {}, exception?.reason);
        // What only the source's dialect has is told in it alone.
        assert.deepEqual(source.own ?? [], OWN_ONLY[recording.name] ?? []);
        if (got.own) assert.deepEqual(got.own, client === own ? source.own : []);
      });
    }
  });
}

test('an exception is of a recording and a client, once', () => {
  const names = EXCEPTIONS.map(({ name, client }) => `${name} ${client}`);
  assert.equal(new Set(names).size, names.length);
  for (const { client, differs, reason } of EXCEPTIONS) assert.ok(DIALECTS.includes(client) && reason && Object.keys(differs).length > 0);
});
