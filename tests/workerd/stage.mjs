// The stage on which failover is played: one worker, one upstream that is several downstreams, and for every scene a
// router and models of its own, so that no circuit, no script and no record of one scene is another's.
//
// In scope: setting scenes, what the downstreams were asked and in which order, and the checks that every scene must
// stand. Out of scope: what goes wrong in a scene (`failures.mjs`).
import assert from 'node:assert/strict';
import { call, callTo, eventually, openCall } from './client.mjs';
import { startWorker } from './harness.mjs';
import { DONE, UPSTREAM_KEY, closedPort, completion, delta, event, finishChunk, gatewayTo, json, roleChunk, sse, startUpstream, usageChunk } from './upstream.mjs';

/** The ways in which an answer is moved, as what the caller's body says. */
export const KINDS = {
  'native stream': { stream: true, stream_options: { include_usage: true } },
  'filtered stream': { stream: true },
  whole: {},
};

/** The downstreams that a scene has. At `refused` nobody listens; `nowhere` is not configured. */
const DOWNSTREAMS = ['a', 'b', 'c', 'd'];
export const REFUSED = 'refused';

/** How long an abandoned call may still be open upstream when the next one comes: closing takes a moment to be seen. */
const CLOSING_MS = 150;
const ARRIVAL_TIMEOUT_MS = 10_000;

/** Opens a stage; `options` are those of a worker. */
export async function openStage(options = {}) {
  const stage = new Stage();
  await stage.open(options);
  return stage;
}

class Stage {
  #scenes = new Map();

  async open({ vars = {}, kv = {} }) {
    this.upstream = await startUpstream();
    this.upstream.default = (exchange) => this.#answer(exchange);
    const gateway = gatewayTo(this.upstream, Object.fromEntries(DOWNSTREAMS.map((id) => [id, []])));
    gateway.downstreams.push({ id: REFUSED, base_url: `http://127.0.0.1:${await closedPort()}/v1`, api_key: UPSTREAM_KEY, output_model_ids: [] });
    this.worker = await startWorker({ vars: { CONFIG_TTL_SECONDS: '3600', ...vars }, kv: { gateway, ...kv } });
  }

  /** Ends everything, and checks law 5: each call has left one record. */
  async close() {
    try {
      for (const scene of this.#scenes.values()) await scene.checkRecords();
      await this.worker?.stop();
    } finally {
      await this.upstream?.close();
    }
  }

  /**
   * A new scene: `scripts` says what each target answers, in the order of the plan: `{a: [script, …], b: script}`, or by a
   * function always. What comes beyond its scripts is a fault of the scene. `options` are those of `Scene`.
   */
  scene(scripts, options = {}) {
    const scene = new Scene(this, `s${this.#scenes.size + 1}`, scripts, options);
    this.#scenes.set(scene.name, scene);
    return scene;
  }

  #answer(exchange) {
    const scene = this.#scenes.get(exchange.json.model);
    return scene ? scene.answer(exchange) : { status: 500, body: 'a model that no scene has' };
  }
}

/**
 * Options: `failover` of the route; `defaults` of the router; `variants` instead of a single one whose fallbacks are the
 * scripts' other targets, as `(model) => variants of a route` where `model('a')` is this scene's model at `a`.
 */
class Scene {
  #scripts;
  #arrivals = [];
  #calls = 0;
  /** The upstream's requests in the order of arrival. */
  requests = [];

  constructor(stage, name, scripts, { failover, defaults, variants } = {}) {
    this.stage = stage;
    this.worker = stage.worker;
    this.name = name;
    this.#scripts = new Map(Object.entries(scripts).map(([id, script]) => [id, typeof script === 'function' ? script : [script].flat()]));
    const model = (id) => `${id}/${name}`;
    this.model = model;
    const [first, ...others] = Object.keys(scripts).map(model);
    const only = [{ variant: { variant_id: 'only', model_id: first, ...(others.length > 0 && { model_selection: { models: others } }) }, weight: 100 }];
    this.worker.kv.put(`router:${name}`, {
      ...(defaults && { defaults }),
      default_route: { route_id: 'default', variants: variants?.(model) ?? only, ...(failover && { failover }) },
    });
  }

  /** What the upstream says to a request of this scene. */
  answer(exchange) {
    const [, id] = exchange.url.split('/');
    this.requests.push(Object.assign(exchange, { target: id }));
    for (const told of this.#arrivals.splice(0)) told();
    const scripts = this.#scripts.get(id);
    let script = typeof scripts === 'function' ? scripts : scripts?.shift();
    while (typeof script === 'function') script = script(exchange);
    return script ?? { status: 500, body: 'a request that this scene does not have' };
  }

  /** The body of a call. */
  body(body) {
    return callTo(`turnout/${this.name}`, body);
  }

  /** A call, to its end. */
  async call(body, options) {
    this.#calls += 1;
    return call(this.worker, this.body(body), options);
  }

  /** A call that is made by another client. */
  async callBy(attempt) {
    this.#calls += 1;
    return attempt();
  }

  /** A call that is refused before it is decided, so that it leaves no record. */
  refused(body, options) {
    return call(this.worker, this.body(body), options);
  }

  /** A call that goes on. */
  open(body, options) {
    this.#calls += 1;
    return openCall(this.worker, this.body(body), options);
  }

  /** The request with this place in the order of arrival, now or soon. */
  async request(index) {
    const until = performance.now() + ARRIVAL_TIMEOUT_MS;
    while (this.requests.length <= index) {
      if (performance.now() > until) throw new Error(`request ${index} of ${this.name} did not come; there were ${this.requests.length}`);
      await Promise.race([new Promise((told) => this.#arrivals.push(told)), new Promise((done) => setTimeout(done, 250))]);
    }
    return this.requests[index];
  }

  /** The attempts that the answer tells of, without model and time: `['a:503', 'b:200']`. */
  attempts(answer) {
    return this.#short(answer.headers['x-turnout-attempts'] ?? '');
  }

  /** The targets that the upstream saw, in order. */
  get order() {
    return this.requests.map(({ target }) => target).join();
  }

  /** The record of this scene's only call, once it is written; `attempts` as above. */
  async record() {
    const record = await this.worker.recordOf(this.name);
    return { ...record, attempts: this.#short(record.attempts), attemptsAsWritten: record.attempts };
  }

  #short(attempts) {
    return attempts === '' ? [] : attempts.split(',').map((item) => {
      const [, short, outcome] = /^([^/]+)\/[^:]+:(.+):\d+ms$/.exec(item) ?? assert.fail(`not an attempt: ${item}`);
      return `${short}:${outcome}`;
    });
  }

  /**
   * The call was answered by the last of `attempts` (each a text or a pattern): all of its bytes, none of another's; the
   * record and the headers tell the same; and upstream everything went by the law.
   */
  async checkServed(answer, { attempts, text, contentType }) {
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.text, text);
    assert.ok(answer.complete, 'the answer was cut');
    if (contentType) assert.equal(answer.headers['content-type'], contentType);
    this.checkAttempts(this.attempts(answer), attempts);
    const served = this.attempts(answer).at(-1).split(':')[0];
    assert.equal(answer.headers['x-turnout-served'], this.model(served));
    const record = await this.record();
    const told = { outcome: 'ok', status: '200', error_kind: '', is_error: 0, provider: served, model: this.name, attempt_count: attempts.length };
    for (const [name, value] of Object.entries(told)) assert.equal(record[name], value, name);
    assert.equal(record.attemptsAsWritten, answer.headers['x-turnout-attempts']);
    this.#checkAssigned(answer, record);
    await this.checkUpstream(attempts.length);
    return record;
  }

  /** The call failed, and says so honestly. `body` is the upstream's own, else it is of ours, with this code. */
  async checkFailed(answer, { status, attempts, code, body, outcome, kind = code, headers = {} }) {
    assert.equal(answer.status, status, answer.text);
    this.checkAttempts(this.attempts(answer), attempts);
    if (body !== undefined) {
      assert.equal(answer.text, body);
    } else {
      const { error } = answer.json;
      assert.equal(error.code, code);
      assert.equal(typeof error.message, 'string');
      assert.equal(typeof error.type, 'string');
      assert.match(answer.headers['content-type'], /^application\/json/);
    }
    for (const [name, value] of Object.entries(headers)) {
      if (value instanceof RegExp) assert.match(answer.headers[name] ?? '', value, name);
      else assert.equal(answer.headers[name], value, name);
    }
    assert.ok(!answer.text.includes(UPSTREAM_KEY.slice(0, 8)), `a part of the key is shown: ${answer.text}`);
    const record = await this.record();
    assert.equal(record.outcome, outcome);
    assert.equal(record.status, String(status));
    assert.equal(record.is_error, 1);
    if (kind !== undefined) assert.equal(record.error_kind, kind);
    this.#checkAssigned(answer, record);
    await this.checkUpstream(attempts.length);
    return record;
  }

  /** These attempts are the expected ones, each a text or a pattern. */
  checkAttempts(attempts, expected) {
    const holds = attempts.length === expected.length && expected.every((one, at) => (one instanceof RegExp ? one.test(attempts[at]) : one === attempts[at]));
    assert.ok(holds, `the attempts were ${attempts.join()} and should be ${expected.join()}`);
  }

  /** The variant is the one that was assigned, whatever served. */
  #checkAssigned(answer, record) {
    assert.match(answer.headers['x-turnout-request-id'], /^[\w-]{16,}$/);
    assert.equal(answer.headers['x-turnout-router'], this.name);
    assert.equal(answer.headers['x-turnout-variant'], record.variant);
    assert.equal(record.router, this.name);
    assert.equal(record.route, 'default');
    assert.equal(record.attempt_count, record.attempts.length);
  }

  /**
   * What the upstream saw of one call: at most so many requests, with the same bytes each (a scene's model has one name
   * everywhere), never two open at once, and none left open but for one that is still to be served.
   */
  async checkUpstream(most) {
    assert.ok(this.requests.length <= most, `${this.requests.length} requests came of ${most} attempts: ${this.order}`);
    for (const [at, request] of this.requests.entries()) {
      assert.ok(request.body.equals(this.requests[0].body), `request ${at} has another body: ${request.text}`);
      const next = this.requests[at + 1];
      if (next === undefined) continue;
      await eventually(() => request.closedAt, (closedAt) => closedAt !== undefined, { timeout: 3_000, pause: 5 })
        .catch(() => assert.fail(`request ${at} was still open when all was over`));
      const overlap = request.closedAt - next.arrivedAt;
      assert.ok(overlap < CLOSING_MS, `request ${at} was still open ${overlap.toFixed()} ms after the next had come`);
    }
  }

  /** One record for each call. */
  async checkRecords() {
    const count = () => this.worker.recordsOf(this.name).length;
    await eventually(count, (records) => records >= this.#calls, { timeout: 5_000 }).catch(() => {});
    assert.equal(count(), this.#calls, `${this.#calls} calls of ${this.name} left ${count()} records`);
  }
}

/**
 * A good answer to a call of this kind: what an upstream sends as `script`, and what the caller must see of it as `text`.
 * An upstream is asked for usage in every stream of a router.
 */
export function good(kind, words = 'well done') {
  if (kind === 'whole') {
    const body = JSON.stringify(completion(words));
    return { script: json(body), text: body, contentType: 'application/json' };
  }
  const [said, last] = [[event(roleChunk()), ...words.split(' ').map((word) => event(delta(`${word} `))), event(finishChunk())], [DONE]];
  const usage = event(usageChunk());
  return {
    script: sse([...said, usage, ...last]),
    text: [...said, ...(kind === 'native stream' ? [usage] : []), ...last].join(''),
    contentType: 'text/event-stream; charset=utf-8',
  };
}
