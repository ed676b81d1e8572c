// After commitment nothing is tried again: a stream that breaks ends for its caller as an error in a stream looks, after
// the bytes so far, and never as if it were whole.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import OpenAI from 'openai';
import { sdk } from './client.mjs';
import { test } from './harness.mjs';
import { KINDS, openStage } from './stage.mjs';
import { DONE, delta, destroy, event, finishChunk, gate, json, pause, reset, roleChunk, sse, usageChunk } from './upstream.mjs';

const STREAMS = Object.fromEntries(Object.entries(KINDS).filter(([, body]) => body.stream));
const DOWN = json({ error: { message: 'down', code: 'overloaded' } }, { status: 503 });
const ROLE = event(roleChunk());
const MANY = Array.from({ length: 300 }, (_, at) => event(delta(`word ${at} `)));
const HALF = event(delta('never whole')).slice(0, 60);

let stage;

before(async () => { stage = await openStage(); });
after(() => stage?.close());

/** The error that ends a stream, in an event of its own. */
function checkErrorEvent(text) {
  const [, data] = /^data: (\{.*\})\n\n$/.exec(text) ?? assert.fail(`this is not one event: ${JSON.stringify(text)}`);
  const { error } = JSON.parse(data);
  assert.equal(error.code, 'upstream_unreachable');
  assert.equal(typeof error.message, 'string');
  assert.equal(typeof error.type, 'string');
}

async function checkCut(scene, attempts) {
  const record = await scene.record();
  assert.equal(record.outcome, 'cut');
  assert.equal(record.is_error, 1);
  assert.equal(record.status, '200');
  assert.equal(record.output_tokens, null);
  assert.equal(record.ttft_known, 1);
  scene.checkAttempts(record.attempts, attempts);
  await scene.checkUpstream(attempts.length);
}

for (const [kind, body] of Object.entries(STREAMS)) {
  describe(`a stream that breaks ends with an error: ${kind}`, () => {
    const between = {
      'that breaks between events': [destroy],
      'that is reset between events': [pause(20), reset],
      'that ends without a reason': [],
      'that ends after a comment': [': wait\n\n'],
      'that breaks after its first event': [destroy],
    };
    for (const [name, end] of Object.entries(between)) {
      test(`${name}`, async () => {
        const said = name.includes('first') ? [ROLE, event(delta('begin'))] : [ROLE, ...MANY];
        const scene = stage.scene({ a: sse([...said, ...end]), b: [] });
        const answer = await scene.call(body);
        const text = [...said, ...end.filter((piece) => typeof piece === 'string')].join('');
        assert.equal(answer.status, 200);
        assert.ok(answer.text.startsWith(text), `bytes are missing: ${answer.text.slice(-500)}`);
        checkErrorEvent(answer.text.slice(text.length));
        await checkCut(scene, ['a:200-cut']);
      });
    }

    const within = { 'that breaks within an event': [HALF, destroy], 'that is reset within an event': [HALF, pause(20), reset], 'that ends within an event': [HALF], 'that ends after a line': [event(delta('never whole')).slice(0, -1)] };
    for (const [name, end] of Object.entries(within)) {
      test(`${name}`, async () => {
        const said = [ROLE, ...MANY].join('');
        const scene = stage.scene({ a: sse([said, ...end]), b: [] });
        const answer = await scene.call(body);
        assert.ok(answer.text.startsWith(said), 'bytes are missing');
        const rest = answer.text.slice(said.length);
        const at = rest.lastIndexOf('data: {"error"');
        assert.ok(at >= 0, `there is no error: ${rest}`);
        checkErrorEvent(rest.slice(at));
        // What is left of the event that broke: nothing, or its bytes and an end of its own.
        const left = rest.slice(0, at);
        const [piece] = end;
        assert.ok(['', piece, `${piece}\n`, `${piece}\n\n`].includes(left), `bytes were invented: ${JSON.stringify(left)}`);
        assert.ok(left === '' || left.endsWith('\n\n'), `the error is no event of its own: ${JSON.stringify(rest)}`);
        await checkCut(scene, ['a:200-cut']);
      });
    }

    test('that breaks long after its first event', async () => {
      const rest = gate();
      const scene = stage.scene({ a: sse([event(delta('begin')), rest, event(delta('more')), destroy]), b: [] });
      const open = scene.open(body);
      await open.seen('begin');
      setTimeout(() => rest.open(), 400);
      const answer = await open.end;
      const text = event(delta('begin')) + event(delta('more'));
      assert.ok(answer.text.startsWith(text), answer.text);
      checkErrorEvent(answer.text.slice(text.length));
      await checkCut(scene, ['a:200-cut']);
    });

    test('that breaks while its caller is behind', async () => {
      const pieces = Array.from({ length: 64 }, () => event(delta('z'.repeat(64 * 1024))));
      const scene = stage.scene({ a: sse([...pieces, destroy]), b: [] });
      const open = scene.open(body);
      const response = await open.head;
      response.pause();
      setTimeout(() => response.resume(), 300);
      const answer = await open.end;
      const text = pieces.join('');
      assert.ok(answer.text.startsWith(text), `bytes are missing: there are ${answer.body.length} of ${text.length}`);
      checkErrorEvent(answer.text.slice(text.length));
      await checkCut(scene, ['a:200-cut']);
    });

    test('that came after another target had failed: no third is tried', async () => {
      const scene = stage.scene({ a: DOWN, b: sse([event(delta('begin')), destroy]), c: [] });
      const answer = await scene.call(body);
      assert.equal(answer.headers['x-turnout-served'], scene.model('b'));
      assert.ok(answer.text.startsWith(event(delta('begin'))));
      checkErrorEvent(answer.text.slice(event(delta('begin')).length));
      await checkCut(scene, ['a:503', 'b:200-cut']);
    });

    for (const [name, pieces] of Object.entries({ 'between events': [], 'within an event': [HALF] })) {
      test(`the official SDK throws: broken ${name}`, async () => {
        const scene = stage.scene({ a: sse([ROLE, event(delta('Hel')), event(delta('lo')), ...pieces, destroy]), b: [] });
        const stream = await scene.callBy(() => sdk(stage.worker).chat.completions.create(scene.body(body)));
        let text = '';
        const error = await (async () => {
          for await (const each of stream) text += each.choices[0]?.delta.content ?? '';
        })().then(() => assert.fail('the stream ended well'), (error) => error);
        assert.equal(text, 'Hello');
        if (pieces.length === 0) {
          assert.ok(error instanceof OpenAI.APIError, String(error));
          assert.equal(error.code, 'upstream_unreachable');
        }
        await checkCut(scene, ['a:200-cut']);
      });
    }
  });

  describe(`a stream that has said all ends as it is: ${kind}`, () => {
    const whole = {
      'a reason to finish, and no [DONE]': [event(delta('all')), event(finishChunk())],
      'a reason to finish, its usage, and no [DONE]': [event(delta('all')), event(finishChunk()), event(usageChunk())],
      '[DONE] and no reason to finish': [event(delta('all')), DONE],
    };
    for (const [name, pieces] of Object.entries(whole)) {
      test(name, async () => {
        const scene = stage.scene({ a: sse(pieces), b: [] });
        const text = pieces.filter((piece) => kind === 'native stream' || piece !== event(usageChunk())).join('');
        await scene.checkServed(await scene.call(body), { attempts: ['a:200'], text });
      });
    }

    test('a break after [DONE] takes nothing from it', async () => {
      const pieces = [event(delta('all')), event(finishChunk()), DONE];
      const scene = stage.scene({ a: sse([...pieces, pause(20), destroy]), b: [] });
      const answer = await scene.call(body);
      assert.equal(answer.text, pieces.join(''));
      await scene.checkUpstream(1);
    });

    test('an error of the upstream\'s own within it: nothing is added', async () => {
      const pieces = [event(delta('Hi')), event({ error: { message: 'broke', type: 'server_error', code: 'oops' } })];
      const scene = stage.scene({ a: sse(pieces), b: [] });
      const answer = await scene.call(body);
      assert.equal(answer.text, pieces.join(''));
      const record = await scene.record();
      assert.equal(record.outcome, 'in_band_error');
      assert.equal(record.error_kind, 'oops');
      await scene.checkUpstream(1);
    });
  });
}
