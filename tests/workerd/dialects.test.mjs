// Every official SDK against an upstream of every dialect, in every scenario, whole and streamed.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { PROVIDERS } from './dialects/answers.mjs';
import { SDKS } from './dialects/clients.mjs';
import { EXCEPTIONS } from './dialects/exceptions.mjs';
import { RECEIVED } from './dialects/requests.mjs';
import { SCENARIOS } from './dialects/scenarios.mjs';
import { checkTable, tableOf } from './dialects/table.mjs';
import { downstreamOf, fourUpstreams, routerTo } from './dialects/upstreams.mjs';
import { VERCEL } from './dialects/vercel.mjs';
import { startWorker, test } from './harness.mjs';
import { routerOf, startUpstream } from './upstream.mjs';

const CLIENTS = { ...SDKS, ...VERCEL };
const WAYS = { whole: false, streamed: true };

/** The models that the upstreams have, with the names by which what they take is known. */
const MODELS = { openai: 'gpt-5', anthropic: 'claude-sonnet-4-6', openai_responses: 'gpt-5', gemini: 'gemini-3-flash' };

let upstream;
let worker;

before(async () => {
  upstream = await startUpstream();
  const kv = { gateway: fourUpstreams(upstream) };
  // SDKs look at the model's name, so a router is called as the app's model was.
  for (const model of new Set(Object.values(CLIENTS).map((client) => client.model))) {
    for (const dialect of Object.keys(PROVIDERS)) kv[`router:${routerTo(model, dialect)}`] = routerOf({ only: [`${downstreamOf(dialect)}/${MODELS[dialect]}`, 100] });
  }
  worker = await startWorker({ kv });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

/** What differs from what is expected, `{path: [expected, got]}`; a member that is not expected may be anything. */
function differences(expected, got, path = '') {
  if (expected === null || typeof expected !== 'object') return Object.is(expected, got) ? {} : { [path]: [expected, got ?? null] };
  if (Array.isArray(expected) && expected.length !== got?.length) return { [path]: [expected, got ?? null] };
  return Object.assign({}, ...Object.entries(expected).map(([name, value]) => differences(value, got?.[name], path ? `${path}.${name}` : name)));
}

/** One turn: what was seen, and where it is other than expected. */
async function turn({ client, dialect, stream, ask, step, prefix = '', before: earlier, results }) {
  upstream.reset();
  const provider = PROVIDERS[dialect];
  const said = step.says?.(dialect);
  upstream.next(step.fails ? provider.error(step.fails) : stream ? provider.stream(said) : provider.whole(said));
  const seen = await client.run(worker, routerTo(client.model, dialect), ask, { stream, before: earlier, results });
  const found = {};
  const note = (differing) => Object.entries(differing).forEach(([path, values]) => { found[prefix + path] = values; });
  if (upstream.untaken !== 1) return { seen, found: { [`${prefix}requests`]: [1, upstream.untaken], ...(seen.error && { [`${prefix}error`]: [null, seen.error.message] }) } };
  const exchange = await upstream.take();
  const wanted = typeof step.received === 'function' ? step.received(dialect) : step.received;
  if (wanted) note(differences({ received: wanted }, { received: RECEIVED[dialect](exchange.json) }));
  const failure = step.fails?.message ?? step.seen.error;
  if (failure) {
    if (!seen.error?.message.includes(failure)) note({ 'error.message': [failure, seen.error?.message ?? null] });
    if (step.fails) note(differences({ error: { status: step.fails.status } }, seen));
    else note(differences({ text: step.seen.text }, seen));
  } else {
    if (seen.error) note({ error: [null, seen.error.message] });
    else note(differences(step.seen, seen));
    if (said.stop === 'refusal' && client.dialect !== 'gemini' && seen.refused !== undefined) note(differences({ refused: said.refusal }, seen));
  }
  return { seen, found };
}

async function cell(client, dialect, scenario, stream) {
  const { ask, then, ...step } = scenario;
  const first = await turn({ client, dialect, stream, ask, step });
  if (!then || first.found.error || first.found.requests) return first.found;
  const results = then.results.map((result, index) => ({ ...result, id: first.seen.calls[index]?.id }));
  const second = await turn({ client, dialect, stream, ask, step: then, prefix: 'then.', before: first.seen, results });
  return { ...first.found, ...second.found };
}

/** `{client, dialect, passes}` of each cell that is as this file says it is. */
const cells = [];
let planned = 0;

for (const [id, client] of Object.entries(CLIENTS)) {
  for (const dialect of Object.keys(PROVIDERS)) {
    describe(`${client.name} → ${dialect}`, () => {
      for (const [name, scenario] of Object.entries(SCENARIOS)) {
        for (const [way, stream] of Object.entries(WAYS)) {
          if (scenario.streamedOnly && !stream) continue;
          planned += 1;
          test(`${name}, ${way}`, async () => {
            const found = await cell(client, dialect, scenario, stream);
            const exception = EXCEPTIONS.find((each) => each.client === id && each.dialect === dialect && each.scenario === name && each.way === way);
            assert.deepEqual(found, exception?.differs ?? {}, exception?.reason);
            cells.push({ client: id, dialect, passes: exception === undefined });
          });
        }
      }
    });
  }
}

test('every exception is of a cell that there is, once', () => {
  const names = EXCEPTIONS.map(({ client, dialect, scenario, way }) => {
    assert.ok(client in CLIENTS && dialect in PROVIDERS && scenario in SCENARIOS && way in WAYS, `${client} ${dialect} ${scenario} ${way}`);
    return [client, dialect, scenario, way].join();
  });
  assert.equal(new Set(names).size, names.length);
});

test('README\'s table is that of this run', () => {
  assert.equal(cells.length, planned, 'the table is made of a run in which every cell is as it should be');
  checkTable(tableOf(CLIENTS, cells));
});
