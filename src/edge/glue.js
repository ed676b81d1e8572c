// What is cheaper on this side of the border. Every crossing between JavaScript and wasm costs, so what belongs together
// crosses together, as lines of one string; and streams are moved here, where workerd can move them by itself.
//
// Little is decided in this file: what is a stream, which headers are an upstream's own, which chunks need no look.

import { waitUntil } from "cloudflare:workers";

// ---- The runtime ----

// wasm-bindgen wakes a Rust future by queueMicrotask, which workerd makes 20 times as dear as the reaction of a settled
// promise (3.6 µs for 0.1). What it throws is reported as before: worker-build's shim starts anew after a trap.
const SETTLED = Promise.resolve();
globalThis.queueMicrotask = (task) => {
  SETTLED.then(() => {
    try {
      task();
    } catch (error) {
      reportError(error);
    }
  });
};

// Keeps the invocation alive until the function that it returns is called, also when the caller goes away.
export function hold(request) {
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  whenLeft(request, () => { waitUntil(released); });
  return release;
}

// Calls back once the caller has gone away; at once where it has already, for a signal tells only those who wait for it.
function whenLeft({ signal }, callback) {
  if (signal.aborted) callback();
  else signal.addEventListener("abort", callback, { once: true });
}

// ---- The request ----

let watched = [];

// Names the headers that `describe` reads.
export function watch(names) {
  watched = names.split("\n");
}

// The time, two random numbers, method, URL, six values of `cf`, then name and value of every watched header that is
// there, a line each. No header value can hold a line end. Reading by name costs half of what going through all does.
export function describe(request) {
  const [first, second] = crypto.getRandomValues(new BigUint64Array(2));
  const { headers, cf } = request;
  let text = `${Date.now()}\n${first}\n${second}\n${request.method}\n${request.url}\n`;
  text += cf ? `${cf.country ?? ""}\n${cf.continent ?? ""}\n${cf.city ?? ""}\n${cf.colo ?? ""}\n${cf.asn ?? ""}\n${cf.timezone ?? ""}` : "\n\n\n\n\n";
  for (const name of watched) {
    const value = headers.get(name);
    if (value !== null) text += `\n${name}\n${value}`;
  }
  return text;
}

// Name and value of every header, a line each; names are lower-case by the standard.
export function allHeaders(request) {
  return [...request.headers].flat().join("\n");
}

// The whole body, or null where it is longer than `limit`.
export async function readBody(request, limit) {
  const declared = request.headers.get("content-length");
  if (declared !== null) {
    return Number(declared) > limit ? null : new Uint8Array(await request.arrayBuffer());
  }
  const chunks = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength;
    if (length > limit) return null;
    chunks.push(chunk);
  }
  return joined(chunks);
}

function joined(chunks) {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

// Whether the caller has gone away.
export function left(request) {
  return request.signal.aborted;
}

// ---- Settings ----

// A variable or secret; undefined where there is none or it is no string.
export function setting(env, name) {
  const value = env[name];
  return typeof value === "string" ? value : undefined;
}

// ---- Upstream ----

// `ranges` are triples: start and end in `body`, and the length of what comes in their place, which lies in
// `replacements`, one after the other.
function spliced(body, ranges, replacements) {
  let length = body.byteLength + replacements.byteLength;
  for (let i = 0; i < ranges.length; i += 3) length -= ranges[i + 1] - ranges[i];
  const out = new Uint8Array(length);
  let read = 0, written = 0, taken = 0;
  for (let i = 0; i < ranges.length; i += 3) {
    out.set(body.subarray(read, ranges[i]), written);
    written += ranges[i] - read;
    out.set(replacements.subarray(taken, taken + ranges[i + 2]), written);
    written += ranges[i + 2];
    taken += ranges[i + 2];
    read = ranges[i + 1];
  }
  out.set(body.subarray(read), written);
  return out;
}

// Sends a call: `[response, summary, body]`. The summary is its status and content type, a line each; the body is
// undefined where it is a stream, and null where it broke off. Rejects when the caller leaves first, and then the upstream
// call ends with the invocation: an abort signal on `fetch` would cost every chunk of the answer a look at it. Redirects
// are not followed: they would carry the credential to another host.
export function exchange(request, streamed, url, headers, body, ranges, replacements) {
  return received(request, streamed, () => fetch(url, {
    method: "POST",
    headers: fields(headers),
    body: spliced(body, ranges, replacements),
    redirect: "manual",
  }));
}

// What `exchange` resolves to, of a response that is at hand.
export function receive(request, streamed, upstream) {
  return received(request, streamed, async () => upstream);
}

function received(request, streamed, send) {
  return new Promise((resolve, reject) => {
    whenLeft(request, reject);
    if (request.signal.aborted) return;
    send().then((upstream) => {
      const { status, ok, body } = upstream;
      // Of such a status no response can be made.
      if (status < 200 || status > 599) throw new RangeError(`status ${status}`);
      const type = upstream.headers.get("content-type") ?? "";
      const summary = `${status}\n${type}`;
      if (ok && body !== null && isStream(type, streamed)) {
        resolve([upstream, summary, undefined]);
      } else {
        const end = (bytes) => resolve([upstream, summary, bytes && new Uint8Array(bytes)]);
        upstream.arrayBuffer().then(end, () => end(null));
      }
    }).catch(reject);
  });
}

// Events are a stream, and so is what comes for a streamed call and does not call itself JSON.
function isStream(type, streamed) {
  return /^\s*text\/event-stream/i.test(type) || (streamed && !/json/i.test(type));
}

// Lines of names and values, as an object.
function fields(lines) {
  const object = {};
  const parts = lines.split("\n");
  for (let i = 0; i + 1 < parts.length; i += 2) object[parts[i]] = parts[i + 1];
  return object;
}

// The demo's stream: texts separated by U+0000, each after its delay in milliseconds. Not an IdentityTransformStream:
// workerd cannot pipe a branch of one into another (the pipe is rejected, and the caller waits for ever).
export function drip(texts, delays) {
  const encoder = new TextEncoder();
  const parts = texts.split("\0");
  const waits = Array.from(delays); // the view of wasm memory is gone by the first pull
  let position = 0;
  const body = new ReadableStream({
    type: "bytes",
    async pull(controller) {
      if (position === parts.length) {
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      await sleep(waits[position]);
      controller.enqueue(encoder.encode(parts[position++]));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// ---- The answer ----

// What an upstream could forge, what is the connection's and not the answer's, what is the provider's own and not for the
// caller, and what no longer fits a body that workerd has decoded.
const DROPPED = [
  "x-turnout-router", "x-turnout-revision", "x-turnout-route", "x-turnout-variant", "x-turnout-served", "x-turnout-note",
  "alt-svc", "connection", "content-encoding", "content-length", "keep-alive", "nel", "report-to", "server",
  "set-cookie", "strict-transport-security", "trailer", "transfer-encoding", "upgrade", "via",
];

const EMPTY = new Set([101, 204, 205, 304]);

// An answer of ours with the upstream's status and headers, and the lines in `headers` over them. The copy of a whole
// response is made by workerd, at a third of the cost of an object of headers.
export function pass(upstream, headers, body) {
  const answer = new Response(EMPTY.has(upstream.status) ? null : body, upstream);
  for (const name of DROPPED) answer.headers.delete(name);
  const parts = headers.split("\n");
  for (let i = 0; i + 1 < parts.length; i += 2) answer.headers.set(parts[i], parts[i + 1]);
  return answer;
}

// An answer of our own.
export function answer(status, headers, body) {
  return new Response(body, { status, headers: fields(headers) });
}

// Blocks of this size are read from our branch of a stream.
const BLOCK = 64 * 1024;

// What our branch of a stream gives at a time once the stream has ended.
const GATHERED = 1024 * 1024;
// How long our branch may still give what lies there when the caller has left. Then it goes, and the upstream with it.
const FAREWELL_MS = 20;

// A stream that workerd itself moves to the caller, while another branch of it waits to be read now and then.
//
// `outcome` is undefined until the last byte has been handed over, then 0 for well, 1 where the caller left, 2 where the
// upstream broke.
class Tap {
  constructor(request, upstream) {
    // The first branch is the cheaper one to pipe (measured: 1.46 times a passthrough against 2.10).
    const [theirs, ours] = upstream.body.tee();
    const { readable, writable } = new IdentityTransformStream();
    this.readable = readable;
    this.reader = ours.getReader({ mode: "byob" });
    this.buffer = new ArrayBuffer(BLOCK);
    this.outcome = undefined;
    this.more = false;
    this.ended = new Promise((resolve) => {
      const end = (outcome) => {
        this.outcome ??= outcome;
        resolve();
      };
      theirs.pipeTo(writable).then(() => end(0), () => end(request.signal.aborted ? 1 : 2));
      // The pipe does not see a caller who leaves while the upstream is silent. Once the record is written the invocation
      // ends, and the upstream call with it.
      whenLeft(request, () => {
        end(1);
        setTimeout(() => this.cancel(), FAREWELL_MS);
      });
    });
  }

  // The next block of our branch; undefined at its end. Valid until the next read.
  async read() {
    try {
      const { value, done } = await this.reader.read(new Uint8Array(this.buffer));
      if (value !== undefined) this.buffer = value.buffer;
      this.more = value?.byteLength === BLOCK;
      return done ? undefined : value;
    } catch {
      return undefined; // `outcome` says why
    }
  }

  // The next block of our branch, but not before the stream has ended or so many milliseconds have passed; at once where
  // the last block was full, for what is not read lies in memory. Once the stream has ended, many blocks in one.
  async later(milliseconds) {
    if (this.outcome === undefined && !this.more) {
      let timer;
      await Promise.race([this.ended, new Promise((resolve) => { timer = setTimeout(resolve, milliseconds); })]);
      clearTimeout(timer);
    }
    if (this.outcome === undefined) return this.read();
    const blocks = [];
    for (let block, length = 0; length < GATHERED && (block = await this.read()) !== undefined; length += block.length) {
      blocks.push(block.slice());
    }
    return blocks.length > 0 ? joined(blocks) : undefined;
  }

  // Lets go of our branch.
  cancel() {
    this.reader.cancel().catch(() => {});
  }
}

// A stream that is moved chunk by chunk, of which `feed` is shown what Rust wants to see.
//
// `feed` takes a chunk, at the end undefined, and returns what is to be written in its place (undefined for nothing).
// While `unwatched` is set, chunks that `mayBypass` are not shown. `run` resolves to an outcome like that of `Tap`.
class Pump {
  constructor(request, upstream) {
    const { readable, writable } = new IdentityTransformStream();
    this.readable = readable;
    this.request = request;
    this.reader = upstream.body.getReader();
    this.writer = writable.getWriter();
    this.unwatched = false;
  }

  async run(feed) {
    const { request, reader, writer } = this;
    // A caller who leaves while the upstream is silent is seen here, and not by a write.
    const { signal } = request;
    whenLeft(request, () => { reader.cancel().catch(() => {}); });
    let reading = false;
    try {
      for (;;) {
        reading = true;
        const { value, done } = await reader.read();
        reading = false;
        if (signal.aborted) return 1;
        const bytes = this.unwatched && !done && mayBypass(value) ? value : feed(value);
        if (bytes !== undefined) await writer.write(bytes);
        if (done) break;
      }
      await writer.close();
      return 0;
    } catch (error) {
      if (signal.aborted || !reading) {
        reader.cancel(error).catch(() => {});
        return 1;
      }
      await writer.abort(error).catch(() => {});
      return 2;
    }
  }
}

export function openTap(request, upstream) {
  return new Tap(request, upstream);
}

export function openPump(request, upstream) {
  return new Pump(request, upstream);
}

// The mirror of `relay::may_bypass`, which says why; a test holds the two together.
const MATTERS = /"(?:usage|error|finish_reason)"(?![ \t\r\n]*:[ \t\r\n]*null)|\[DONE\]|event:/;
const LATIN1 = new TextDecoder("latin1");

export function mayBypass(chunk) {
  const last = chunk.length - 1;
  if (chunk[last] !== 10) return false;
  if (chunk[last - 1] !== 10 && !(chunk[last - 1] === 13 && chunk[last - 2] === 10)) return false;
  return !MATTERS.test(LATIN1.decode(chunk));
}

// ---- Stored documents ----

// `[bytes, metadata as JSON]`; bytes are null where there is no such key, and cut after `limit` + 1.
export async function readKey(env, key, limit) {
  const { value, metadata } = await env.ROUTERS.getWithMetadata(key, { type: "arrayBuffer", cacheTtl: 30 });
  if (value === null) return [null, undefined];
  const bytes = new Uint8Array(value, 0, Math.min(value.byteLength, limit + 1));
  return [bytes, metadata ? JSON.stringify(metadata) : undefined];
}

export function writeKey(env, key, bytes) {
  // A copy, because the view is of wasm memory and the write is not done at once.
  return env.ROUTERS.put(key, bytes.slice());
}

export function deleteKey(env, key) {
  return env.ROUTERS.delete(key);
}

// `[names, cursor]`: keys that begin with `prefix`, less it; the cursor is undefined on the last page.
export async function listKeys(env, prefix, cursor) {
  const page = await env.ROUTERS.list({ prefix, cursor });
  return [page.keys.map(({ name }) => name.slice(prefix.length)), page.list_complete ? undefined : page.cursor];
}

// ---- Records ----

// Writes one data point; `blobs` are separated by U+0000, the index is the first of them.
export function writePoint(env, blobs, doubles) {
  const [index, ...rest] = blobs.split("\0");
  try {
    env.METRICS?.writeDataPoint({ indexes: [index], blobs: rest, doubles: Array.from(doubles) });
  } catch (error) {
    console.error(`a record could not be written: ${error}`); // and the call goes on
  }
}
