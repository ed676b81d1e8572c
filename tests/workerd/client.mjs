// Callers: `node:http` where bytes and broken connections are looked at, the official SDK where its view counts.
import { request as httpRequest } from 'node:http';
import OpenAI from 'openai';
import { ADMIN_KEY } from './harness.mjs';

const CALL_TIMEOUT_MS = 15_000;

/** The SDK, without retries of its own: each test says what happens once. */
export function sdk(worker, options = {}) {
  return new OpenAI({ baseURL: `${worker.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0, timeout: CALL_TIMEOUT_MS, ...options });
}

/** The body of the smallest call. */
export function callTo(model, rest = {}) {
  return { model, messages: [{ role: 'user', content: 'Hi' }], ...rest };
}

/**
 * One call, to its end: `{status, headers, rawHeaders, body, text, json, complete, error}`.
 * `body` is sent as it is where it is text or bytes, else as JSON; `complete` is false where the answer was cut.
 */
export async function call(worker, body, options) {
  const open = openCall(worker, body, options);
  await open.head;
  return open.end;
}

/** `call` of any other path and method. */
export function get(worker, path, options = {}) {
  return call(worker, undefined, { method: 'GET', path, ...options });
}

/**
 * A call that goes on: `head` resolves with the status and headers, `seen(text)` once the text has arrived, `end` with
 * the same as `call`. `leave()` resets the connection, of which workerd is told at once; `hangUp()` closes it, as clients
 * do. To a plain workerd that is half a close, which HTTP allows: it learns more at the next write to the caller.
 */
export function openCall(worker, body, { method = 'POST', path = '/v1/chat/completions', headers = {}, key = ADMIN_KEY, chunked = false } = {}) {
  const bytes = body === undefined ? undefined : Buffer.from(typeof body === 'object' && !Buffer.isBuffer(body) ? JSON.stringify(body) : body);
  const sent = {
    ...(bytes === undefined ? {} : { 'content-type': 'application/json' }),
    ...(bytes === undefined || chunked ? {} : { 'content-length': bytes.length }),
    ...(key === null ? {} : { authorization: `Bearer ${key}` }),
    ...headers,
  };
  const state = new OpenCall();
  const request = httpRequest(worker.url + path, { method, headers: sent, agent: false }, (response) => state.answered(response));
  request.on('error', (error) => state.failed(error));
  request.setTimeout(CALL_TIMEOUT_MS, () => request.destroy(new Error(`no answer to ${method} ${path} within ${CALL_TIMEOUT_MS} ms`)));
  state.leave = () => request.socket.resetAndDestroy();
  state.hangUp = () => request.destroy();
  if (bytes === undefined) request.end();
  else if (chunked) sendInPieces(request, bytes);
  else request.end(bytes);
  return state;
}

class OpenCall {
  #parts = [];
  #text = '';
  #watchers = [];
  #head = Promise.withResolvers();
  #end = Promise.withResolvers();

  constructor() {
    this.head = this.#head.promise;
    this.end = this.#end.promise;
    // A test need not look at both.
    this.head.catch(() => {});
    this.end.catch(() => {});
  }

  answered(response) {
    this.response = response;
    this.#head.resolve(response);
    response.on('data', (part) => {
      this.#parts.push(part);
      if (this.#watchers.length > 0 || this.#parts.length < 1000) this.#tell();
    });
    const finish = (error) => this.#end.resolve(this.#whole(response, error));
    response.on('end', () => finish());
    response.on('error', finish);
    response.on('close', () => finish(new Error('closed')));
  }

  failed(error) {
    this.#head.reject(error);
    if (!this.response) this.#end.reject(error);
    for (const { failed } of this.#watchers) failed(error);
  }

  /** Resolves once the text has arrived; rejects where the answer ends without it. */
  seen(text) {
    const { promise, resolve, reject } = Promise.withResolvers();
    this.#watchers.push({ text, done: resolve, failed: reject });
    this.end.then((whole) => reject(new Error(`the answer ended without ${JSON.stringify(text)}: ${whole.text}`)), reject);
    this.#tell();
    return promise;
  }

  /** What has arrived so far. */
  get text() {
    return Buffer.concat(this.#parts).toString('utf8');
  }

  #tell() {
    if (this.#watchers.length === 0) return;
    const text = this.text;
    this.#watchers = this.#watchers.filter((watcher) => {
      if (!text.includes(watcher.text)) return true;
      watcher.done();
      return false;
    });
  }

  #whole(response, error) {
    const body = Buffer.concat(this.#parts);
    return {
      status: response.statusCode,
      headers: response.headers,
      rawHeaders: response.rawHeaders,
      body,
      complete: response.complete,
      error,
      get text() { return body.toString('utf8'); },
      get json() { return JSON.parse(body.toString('utf8')); },
    };
  }
}

/** Without `content-length`; stops where the server has answered and closed. */
async function sendInPieces(request, bytes) {
  const PIECE = 16 * 1024;
  for (let at = 0; at < bytes.length && !request.destroyed; at += PIECE) {
    await new Promise((done) => request.write(bytes.subarray(at, at + PIECE), done));
  }
  if (!request.destroyed) request.end();
}

/** Makes `attempt` again until `holds(result)`, and gives that result; for what the worker takes over in the background. */
export async function eventually(attempt, holds, { timeout = 10_000, pause = 50 } = {}) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const result = await attempt();
    if (await holds(result)) return result;
    if (Date.now() > deadline) {
      throw new Error(`it did not come to hold within ${timeout} ms; last: ${JSON.stringify({ status: result?.status, note: result?.headers?.['x-turnout-note'], text: result?.text?.slice(0, 500) })}`);
    }
    await new Promise((done) => setTimeout(done, pause));
  }
}
