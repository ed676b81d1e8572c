// The service behind the worker's KV namespace: what workerd's own KV binding speaks, over HTTP, from a Map.
//
// A test puts values in as if by hand, sees each read in `calls`, and simulates KV's bad days with `fail` and `hold`.
import { once } from 'node:events';
import { createServer } from 'node:http';

export class KvServer {
  #entries = new Map();
  // A write in the background may be under way when workerd is stopped: it breaks off then, and nobody minds.
  #server = createServer((request, response) => this.#serve(request, response).catch((error) => {
    if (!request.destroyed || request.complete) throw error;
  }));
  #held = [];
  #waiting = new Set();
  /** Every operation so far: `{op: 'get' | 'list' | 'put' | 'delete', key}`; for a list, the key is its prefix. */
  calls = [];
  /** Says which operations answer 500: `(call) => boolean`, or true for all. */
  fail = false;

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  /** Writes a value as a person would, by hand: without metadata, unless some is given. An object is written as JSON. */
  put(key, value, metadata) {
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
    this.#entries.set(key, { bytes, metadata });
  }

  /** The value's bytes, or undefined. */
  get(key) {
    return this.#entries.get(key)?.bytes;
  }

  metadata(key) {
    return this.#entries.get(key)?.metadata;
  }

  delete(key) {
    this.#entries.delete(key);
  }

  list(prefix = '') {
    return [...this.#entries.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  /** How often `key` has been read. */
  reads(key) {
    return this.calls.filter((call) => call.op === 'get' && call.key === key).length;
  }

  /** Holds back the operations that `which` names (all by default) until `release()`; `seen` resolves at the first. */
  hold(which = () => true) {
    let release;
    const gate = new Promise((done) => { release = done; });
    const seen = Promise.withResolvers();
    const held = { which, gate, seen: seen.resolve };
    this.#held.push(held);
    return {
      seen: seen.promise,
      release: () => {
        this.#held = this.#held.filter((each) => each !== held);
        release();
      },
    };
  }

  /** Resolves at the next operation that `which` names. */
  next(which) {
    return new Promise((done) => this.#waiting.add({ which, done }));
  }

  async #serve(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    const url = new URL(request.url, 'http://kv');
    const call = describe(request.method, url);
    if (call.op === 'bulk') call.keys = JSON.parse(body).keys;
    for (const one of call.keys ?? [call.key]) this.calls.push({ op: call.op === 'bulk' ? 'get' : call.op, key: one });
    for (const waiting of this.#waiting) {
      if (!waiting.which(call)) continue;
      this.#waiting.delete(waiting);
      waiting.done(call);
    }
    for (const held of this.#held.filter((each) => each.which(call))) {
      held.seen(call);
      await held.gate;
    }
    if (this.fail === true || (this.fail && this.fail(call))) {
      response.writeHead(500).end('the namespace is not well today');
      return;
    }
    this.#answer(call, url, body, request.headers, response);
  }

  #answer(call, url, body, headers, response) {
    const entry = this.#entries.get(call.key);
    switch (call.op) {
      case 'get':
        if (!entry) response.writeHead(404).end('Not Found');
        else response.writeHead(200, entry.metadata === undefined ? {} : { 'CF-KV-Metadata': JSON.stringify(entry.metadata) }).end(entry.bytes);
        return;
      case 'bulk':
        response.end(JSON.stringify(Object.fromEntries(call.keys.map((key) => [key, this.get(key)?.toString() ?? null]))));
        return;
      case 'put': {
        const metadata = headers['cf-kv-metadata'];
        this.put(call.key, body, metadata === undefined ? undefined : JSON.parse(metadata));
        response.end();
        return;
      }
      case 'delete':
        this.delete(call.key);
        response.end();
        return;
      default:
        response.end(JSON.stringify(this.#page(url.searchParams)));
    }
  }

  #page(query) {
    const limit = Number(query.get('key_count_limit') ?? 1000);
    const after = query.get('cursor') ?? '';
    const names = this.list(query.get('prefix') ?? '').filter((name) => name > after);
    const keys = names.slice(0, limit).map((name) => {
      const metadata = this.metadata(name);
      return metadata === undefined ? { name } : { name, metadata: JSON.stringify(metadata) };
    });
    if (names.length <= limit) return { keys, list_complete: true, cacheStatus: null };
    return { keys, list_complete: false, cursor: keys.at(-1).name, cacheStatus: null };
  }
}

function describe(method, url) {
  const key = decodeURIComponent(url.pathname.slice(1));
  if (method === 'POST') return { op: 'bulk', key };
  if (method === 'PUT') return { op: 'put', key };
  if (method === 'DELETE') return { op: 'delete', key };
  return key === '' ? { op: 'list', key: url.searchParams.get('prefix') ?? '' } : { op: 'get', key };
}
