// A scripted upstream on loopback: each request is answered by the script that the test has put in the queue.
//
// In scope: exact bytes, chunks with gates between them, sockets that break; what each request was, to the byte, and
// when its caller left. Out of scope: meaning; `sse` below only writes events.
import { once } from 'node:events';
import { createServer } from 'node:http';

/** A credential that is literal in the `gateway` document, and must never be seen by a caller. */
export const UPSTREAM_KEY = 'sk-test-literal-7f3a9c';

const REQUEST_TIMEOUT_MS = 10_000;
const CANCEL_TIMEOUT_MS = 3_000;

export async function startUpstream() {
  const upstream = new Upstream();
  await upstream.listen();
  return upstream;
}

/** Starts an upstream that is closed when the test ends. */
export async function upstreamFor(test) {
  const upstream = await startUpstream();
  test.after(() => upstream.close());
  return upstream;
}

/**
 * A script is an object
 *   `{status, headers, body}`    one answer; `content-length` is sent
 *   `{status, headers, chunks}`  the body piece by piece; a piece is bytes or text, a promise (waited for before going
 *                                on), or `destroy` or `reset` (the socket breaks there; as the first, before the head)
 * or a function `(exchange) => script`, which may be async. `headersAfter`, a promise, delays the head.
 */
class Upstream {
  #server = createServer((request, response) => this.#serve(request, response));
  #scripts = [];
  #untaken = [];
  #takers = [];
  /** What answers when the queue is empty. */
  default = () => json(completion('hello'));

  async listen() {
    this.#server.keepAliveTimeout = 60_000;
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.origin = `http://127.0.0.1:${this.#server.address().port}`;
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  /** Queues the script for the next request. */
  next(script) {
    this.#scripts.push(script);
  }

  /** The oldest request that has not been taken, now or soon. */
  async take() {
    if (this.#untaken.length > 0) return this.#untaken.shift();
    const { promise, resolve, reject } = Promise.withResolvers();
    this.#takers.push(resolve);
    const timer = setTimeout(() => reject(new Error('no request reached the upstream')), REQUEST_TIMEOUT_MS);
    return promise.finally(() => clearTimeout(timer));
  }

  /** How many requests have come that nobody has taken. */
  get untaken() {
    return this.#untaken.length;
  }

  /** Forgets requests and scripts of an earlier test. */
  reset() {
    this.#scripts = [];
    this.#untaken = [];
  }

  async #serve(request, response) {
    const exchange = new Exchange(request, response);
    const script = this.#scripts.shift() ?? this.default;
    const parts = [];
    try {
      for await (const part of request) parts.push(part);
    } catch {
      // The caller left in the middle of its body.
    }
    exchange.body = Buffer.concat(parts);
    const taker = this.#takers.shift();
    if (taker) taker(exchange);
    else this.#untaken.push(exchange);
    await play(exchange, typeof script === 'function' ? await script(exchange) : script);
  }
}

/** One request as it came, and the fate of its answer. */
class Exchange {
  /** The body's bytes. */
  body;
  /** Resolves once it is over, with whether the connection was closed before the answer was whole. */
  closed;
  /** When it came and when it was over, by `performance.now()`; `closedAt` is undefined while it is open. */
  arrivedAt = performance.now();
  closedAt;

  constructor(request, response) {
    this.request = request;
    this.response = response;
    this.method = request.method;
    this.url = request.url;
    this.headers = request.headers;
    this.rawHeaders = request.rawHeaders;
    this.closed = new Promise((done) => response.once('close', () => {
      this.closedAt = performance.now();
      done(!response.writableFinished);
    }));
  }

  /** Waits until the connection is closed before the answer was whole; soon, or this rejects. */
  async cancelled() {
    let timer;
    const late = new Promise((_, failed) => {
      timer = setTimeout(() => failed(new Error(`the upstream call went on for ${CANCEL_TIMEOUT_MS} ms after its caller had left`)), CANCEL_TIMEOUT_MS);
    });
    try {
      if (!(await Promise.race([this.closed, late]))) throw new Error('the upstream call was not cancelled: its answer was taken whole');
    } finally {
      clearTimeout(timer);
    }
  }

  get text() {
    return this.body.toString('utf8');
  }

  get json() {
    return JSON.parse(this.text);
  }
}

/** A piece of a script: the socket is closed here, in the middle of it all. */
export const destroy = Symbol('destroy');

/** A piece of a script: the connection is reset here (RST). What was written just before may be lost with it. */
export const reset = Symbol('reset');

async function play({ response }, { status = 200, headers = {}, body, chunks, headersAfter }) {
  await headersAfter;
  if (response.destroyed) return;
  if (body !== undefined) {
    const bytes = Buffer.from(body);
    response.writeHead(status, status === 204 ? headers : { 'content-length': bytes.length, ...headers }).end(bytes);
    return;
  }
  if (chunks === undefined) return response.destroy();
  if (chunks[0] !== destroy && chunks[0] !== reset) response.writeHead(status, headers).flushHeaders();
  for (const chunk of chunks) {
    if (response.destroyed) return;
    if (chunk === reset) {
      response.socket?.resetAndDestroy();
      return;
    }
    if (chunk === destroy) {
      // What was written before is to arrive: the connection breaks after it, not instead of it.
      await new Promise((done) => setImmediate(done));
      response.socket?.destroySoon();
      return;
    }
    if (typeof chunk?.then === 'function') await chunk;
    else await new Promise((done) => response.write(chunk, done));
  }
  response.end();
}

/** A promise that the test resolves: `gate.open()`. */
export function gate() {
  const { promise, resolve } = Promise.withResolvers();
  promise.open = resolve;
  return promise;
}

/** A promise that never resolves: the script stalls here until the connection is closed. */
export const stall = new Promise(() => {});

/** A piece of a script: nothing for so many milliseconds. */
export function pause(milliseconds) {
  return { then: (done) => { setTimeout(done, milliseconds); } };
}

/** Pieces of a script: the text byte by byte, so many milliseconds apart. */
export function drip(text, milliseconds) {
  return [...Buffer.from(text)].flatMap((byte) => [Buffer.from([byte]), pause(milliseconds)]);
}

/** A script for a JSON answer. */
export function json(value, { status = 200, headers = {} } = {}) {
  const body = typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value);
  return { status, headers: { 'content-type': 'application/json', ...headers }, body };
}

/** A script for a stream of these pieces. */
export function sse(chunks, headers = {}) {
  return { headers: { 'content-type': 'text/event-stream; charset=utf-8', ...headers }, chunks };
}

/** A Chat Completions answer. */
export function completion(content, { usage = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 }, ...rest } = {}) {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_795_000_000,
    model: 'm1-2026',
    choices: [{ index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' }],
    usage,
    ...rest,
  };
}

/** One event of a stream. */
export function event(value, end = '\n\n') {
  return `data: ${typeof value === 'string' ? value : JSON.stringify(value)}${end}`;
}

/** A chunk with a piece of content. */
export function delta(content, rest = {}) {
  return chunk({ choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }], ...rest });
}

/** The chunk that says only who speaks: nothing has been said yet. */
export function roleChunk() {
  return chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: '', refusal: null }, finish_reason: null }] });
}

export function finishChunk(rest = {}) {
  return chunk({ choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }], ...rest });
}

/** The extra chunk that `stream_options.include_usage` asks for. */
export function usageChunk(usage = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 }) {
  return chunk({ choices: [], usage });
}

export const DONE = event('[DONE]');

export function chunk(rest) {
  return { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_795_000_000, model: 'm1-2026', ...rest };
}

/** A `gateway` document: each downstream `{id: models}` lies under a path of its own of the upstream. */
export function gatewayTo(upstream, downstreams = { local: ['m1'] }) {
  return {
    downstreams: Object.entries(downstreams).map(([id, models]) => ({
      id,
      base_url: `${upstream.origin}/${id}/v1`,
      api_key: UPSTREAM_KEY,
      output_model_ids: models,
    })),
    rules: [],
  };
}

/** A port at which nobody listens. */
export async function closedPort() {
  const server = await startUpstream();
  const port = new URL(server.origin).port;
  await server.close();
  return port;
}

/** A router whose default route has these variants, `{variant_id: [model, weight]}`. */
export function routerOf(variants, rest = {}) {
  return {
    ...rest,
    default_route: {
      route_id: 'default',
      variants: Object.entries(variants).map(([variant_id, [model_id, weight]]) => ({
        variant: { variant_id, model_id },
        weight,
      })),
      ...rest.default_route,
    },
  };
}
