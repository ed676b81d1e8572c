// What a caller can get wrong: never a 500 of ours, and always the field that is at fault.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe } from 'node:test';
import { call, callTo, get } from './client.mjs';
import { ADMIN_KEY, startWorker, test } from './harness.mjs';
import { gatewayTo, routerOf, startUpstream } from './upstream.mjs';

let upstream;
let worker;

before(async () => {
  upstream = await startUpstream();
  worker = await startWorker({ kv: { gateway: gatewayTo(upstream), 'router:r': routerOf({ v: ['local/m1', 100] }) } });
});

after(async () => {
  await worker?.stop();
  await upstream?.close();
});

function assertError(answer, status, code, param = null) {
  assert.equal(answer.status, status, answer.text);
  const { error } = answer.json;
  assert.equal(error.code, code);
  assert.equal(error.param, param);
  assert.match(error.message, /\S+ \S+ \S+/, 'the message is no sentence');
  assert.ok(error.message.length < 2000, 'the message is very long');
  assert.match(answer.headers['content-type'], /^application\/json/);
}

describe('bodies', () => {
  const messages = '"messages":[{"role":"user","content":"Hi"}]';
  const deep = (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const cases = {
    'no body': [undefined, null],
    'an empty body': ['', null],
    'only whitespace': ['  \n', null],
    'not JSON': ['hello', null],
    'JSON that breaks off': ['{"model":"turnout/r","messages":[', null],
    'JSON with something after it': [`{"model":"turnout/r",${messages}} x`, null],
    'two documents': [`{"model":"turnout/r",${messages}}{}`, null],
    'a list': ['[]', null],
    'a string': ['"turnout/r"', null],
    'null': ['null', null],
    'not UTF-8': [Buffer.concat([Buffer.from('{"model":"turnout/r","user":"'), Buffer.from([0xff, 0xfe]), Buffer.from(`",${messages}}`)]), null],
    'an escape that is none': [`{"model":"turnout/\\x",${messages}}`, null],
    'half a surrogate in the model': [`{"model":"\\ud800",${messages}}`, 'model'],
    'a comment': [`{"model":"turnout/r",/* */${messages}}`, null],
    'a trailing comma': [`{"model":"turnout/r",${messages},}`, null],
    'NaN': [`{"model":"turnout/r","temperature":NaN,${messages}}`, null],
    'no model': [`{${messages}}`, 'model'],
    'an empty model': [`{"model":"",${messages}}`, 'model'],
    'a null model': [`{"model":null,${messages}}`, 'model'],
    'a model that is a number': [`{"model":5,${messages}}`, 'model'],
    'a model that is a list': [`{"model":["turnout/r"],${messages}}`, 'model'],
    'model twice': [`{"model":"turnout/r",${messages},"model":"local/m1"}`, 'model'],
    'model twice, once in escapes': [`{"model":"turnout/r",${messages},"\\u006dodel":"local/m1"}`, 'model'],
    'stream that is a string': [`{"model":"turnout/r","stream":"true",${messages}}`, 'stream'],
    'stream that is a number': [`{"model":"turnout/r","stream":1,${messages}}`, 'stream'],
    'stream twice': [`{"model":"turnout/r","stream":true,"stream":false,${messages}}`, 'stream'],
    'stream_options that is a list': [`{"model":"turnout/r","stream":true,"stream_options":[],${messages}}`, 'stream_options'],
    'metadata that is a string': [`{"model":"turnout/r","metadata":"x",${messages}}`, 'metadata'],
    'metadata that is a list': [`{"model":"turnout/r","metadata":[],${messages}}`, 'metadata'],
    'metadata that is oversized': [JSON.stringify(callTo('turnout/r', { metadata: { x: 'y'.repeat(2_000_000) } })), 'metadata'],
    'metadata of very many keys': [JSON.stringify(callTo('turnout/r', { metadata: Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`k${at}`, at])) })), 'metadata'],
    'metadata that is deep': [`{"model":"turnout/r","metadata":{"x":${deep(5000)}},${messages}}`, undefined],
    'extra_body that is a list': [`{"model":"turnout/r","extra_body":[],${messages}}`, 'extra_body'],
    'extra_body.metadata that is a number': [`{"model":"turnout/r","extra_body":{"metadata":1},${messages}}`, 'extra_body.metadata'],
    'user that is a number': [`{"model":"turnout/r","user":7,${messages}}`, 'user'],
    'user twice': [`{"model":"turnout/r","user":"a","user":"b",${messages}}`, 'user'],
  };
  for (const [name, [body, param]] of Object.entries(cases)) {
    test(`${name} is 400`, async () => {
      const answer = await call(worker, body);
      assertError(answer, 400, 'invalid_request', param === undefined ? answer.json?.error?.param : param);
      assert.equal(upstream.untaken, 0, 'the upstream was asked');
    });
  }

  const fine = {
    'a byte order mark is no part of JSON, but no crash': Buffer.from(`\ufeff{"model":"turnout/r",${messages}}`),
    'deep, but not too deep': `{"model":"turnout/r","x":${deep(60)},${messages}}`,
    'no messages: that is the provider\'s to say': '{"model":"turnout/r"}',
    'an unknown field twice: that is the provider\'s to say': `{"model":"turnout/r","x":1,"x":2,${messages}}`,
    'null for what is optional': `{"model":"turnout/r","user":null,"metadata":null,"stream":null,"stream_options":null,"extra_body":null,"store":null,"tools":null,"max_tokens":null,${messages}}`,
  };
  for (const [name, body] of Object.entries(fine)) {
    test(name, async () => {
      upstream.reset();
      const answer = await call(worker, body);
      if (name.startsWith('a byte order mark')) assert.ok([200, 400].includes(answer.status), answer.text);
      else assert.equal(answer.status, 200, answer.text);
    });
  }

  const nested = {
    'lists': deep(100_000),
    'objects': `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
    'a deep message': `[{"role":"user","content":${deep(100_000)}}]`,
    'a deep part': `[{"role":"user","content":[{"type":"text","text":"x","x":${deep(50_000)}}]}]`,
  };
  for (const [name, value] of Object.entries(nested)) {
    for (const router of ['r', 'looks-inside']) {
      test(`deep nesting of ${name} in what ${router === 'r' ? 'nobody reads' : 'a condition reads'} passes whole or is 400`, async () => {
        upstream.reset();
        worker.kv.put('router:looks-inside', {
          routes: [{ route: { variants: [{ variant: { model_id: 'local/m2' }, weight: 100 }] }, condition: { cel_expression: 'messages.last().content.contains("no such word") || request.has_images' } }],
          ...routerOf({ v: ['local/m1', 100] }),
        });
        const body = `{"model":"turnout/${router}","messages":${value},"tools":${deep(20_000)}}`;
        const answer = await call(worker, body);
        if (answer.status === 200) assert.equal((await upstream.take()).text, body.replace(`turnout/${router}`, 'm1'));
        else assertError(answer, 400, 'invalid_request', answer.json.error.param);
      });
    }
  }

  test('metadata whose numbers and strings are extreme decides nothing and breaks nothing', async () => {
    worker.kv.put('router:extreme', {
      routes: [{ route: { route_id: 'held', variants: [{ variant: { variant_id: 'v', model_id: 'local/m1' }, weight: 100 }] }, condition: { cel_expression: 'n * n > 0 && s.matches("(a+)+$") && l.all(x, l.exists(y, y == x))' } }],
      ...routerOf({ v: ['local/m1', 100] }),
    });
    for (const n of ['9223372036854775807', '-9223372036854775808', '1e400', '18446744073709551616', '-0', '1e-400']) {
      const answer = await call(worker, `{"model":"turnout/extreme",${messages},"metadata":{"n":${n},"s":"${'a'.repeat(5000)}!","l":[${Array(500).fill(1).join()}]}}`);
      assert.ok([200, 400].includes(answer.status), answer.text);
    }
  });

  test('the worker serves on after all of that', async () => {
    assert.equal((await call(worker, callTo('turnout/r'))).status, 200);
    assert.doesNotMatch(worker.log(), /panicked|RuntimeError/);
  });
});

describe('paths and methods', () => {
  const unknown = ['/v1', '/v1/', '/v1/chat', '/v1/completions', '/v1/chat/completions/x', '/v2/chat/completions', '/v1/embeddings', '/V1/chat/completions', '/v1/chat%2Fcompletions'];
  for (const path of unknown) {
    test(`POST ${path} is 404 not_found`, async () => {
      assertError(await call(worker, callTo('turnout/r'), { path }), 404, 'not_found');
    });
  }

  for (const [method, path] of [['GET', '/v1/chat/completions'], ['PUT', '/v1/chat/completions'], ['DELETE', '/v1/chat/completions'], ['POST', '/v1/models'], ['DELETE', '/v1/models/turnout/r'], ['POST', '/healthz']]) {
    test(`${method} ${path} is 405 method_not_allowed`, async () => {
      const answer = await get(worker, path, { method });
      assertError(answer, 405, 'method_not_allowed');
    });
  }

  test('a 405 names the methods that are allowed, as HTTP wants it', async () => {
    assert.match((await get(worker, '/v1/chat/completions')).headers.allow ?? '', /\bPOST\b/);
    assert.match((await get(worker, '/v1/models', { method: 'PUT' })).headers.allow ?? '', /\bGET\b/);
  });

  test('HEAD answers without a body', async () => {
    const answer = await get(worker, '/healthz', { method: 'HEAD' });
    assert.ok(answer.status < 500);
    assert.equal(answer.body.length, 0);
  });

  test('a query string changes nothing', async () => {
    assert.equal((await call(worker, callTo('turnout/r'), { path: '/v1/chat/completions?api-version=2026-01-01' })).status, 200);
  });

  test('a model is found by its percent-encoded id', async () => {
    for (const id of ['turnout/r', 'turnout%2Fr', 'r']) {
      const answer = await get(worker, `/v1/models/${id}`);
      assert.equal(answer.status, 200, answer.text);
    }
    for (const id of ['%', '%ff', '%00', 'turnout/nope']) {
      const answer = await get(worker, `/v1/models/${id}`);
      assert.ok([400, 404].includes(answer.status), `${id}: ${answer.status}`);
    }
  });

  test('a content type that is not JSON is no reason to refuse JSON', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      assert.equal((await call(worker, callTo('turnout/r'), { headers: { 'content-type': type } })).status, 200);
    }
  });

  test('a body that breaks off takes nothing down', async () => {
    await new Promise((done) => {
      const open = request(`${worker.url}/v1/chat/completions`, { method: 'POST', agent: false, headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-length': 1000 } });
      open.on('error', done);
      open.write('{"model":', () => open.destroy(new Error('gone')));
    });
    assert.equal((await call(worker, callTo('turnout/r'))).status, 200);
  });
});
