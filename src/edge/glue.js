// What is cheaper on this side of the border. Every crossing between JavaScript and wasm costs, so what belongs together
// crosses together, as lines of one string; and streams are moved here, where workerd can move them by itself.
//
// No decision is made in this file: it reads, sends and moves what Rust says.

// ---- The request ----

// The time, two random numbers, method, URL, six values of `cf`, then name and value of every header, a line each. Names
// are lower-case by the standard, and no header value can hold a line end.
export function describe(request) {
  const [first, second] = crypto.getRandomValues(new BigUint64Array(2));
  const cf = request.cf ?? {};
  let text = `${Date.now()}\n${first}\n${second}\n${request.method}\n${request.url}\n${cf.country ?? ""}\n${cf.continent ?? ""}\n${cf.city ?? ""}\n${cf.colo ?? ""}\n${cf.asn ?? ""}\n${cf.timezone ?? ""}`;
  for (const [name, value] of request.headers) text += `\n${name}\n${value}`;
  return text;
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
  const body = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return body;
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

// Sends a call. A caller who goes away aborts it, also while its answer streams. Redirects are not followed: they would
// carry the credential to another host.
export function send(request, url, headers, body, ranges, replacements) {
  return fetch(url, {
    method: "POST",
    headers: fields(headers),
    body: spliced(body, ranges, replacements),
    redirect: "manual",
    signal: request.signal,
  });
}

// Lines of names and values, as an object.
function fields(lines) {
  const object = {};
  const parts = lines.split("\n");
  for (let i = 0; i + 1 < parts.length; i += 2) object[parts[i]] = parts[i + 1];
  return object;
}

// Status and content type, a line each.
export function summary(upstream) {
  return `${upstream.status}\n${upstream.headers.get("content-type") ?? ""}`;
}

export async function wholeBody(upstream) {
  return new Uint8Array(await upstream.arrayBuffer());
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

// What is the connection's and not the answer's, what is the provider's own and not for the caller, and what no longer
// fits a body that workerd has decoded.
const DROPPED = new Set([
  "alt-svc", "connection", "content-encoding", "content-length", "keep-alive", "nel", "report-to", "server",
  "set-cookie", "strict-transport-security", "trailer", "transfer-encoding", "upgrade", "via",
]);

const EMPTY = new Set([101, 204, 205, 304]);

// An answer of ours with the upstream's status and headers, and the lines in `headers` over them.
export function pass(upstream, headers, body) {
  const object = {};
  for (const [name, value] of upstream.headers) {
    if (!DROPPED.has(name) && !name.startsWith("x-turnout-")) object[name] = value;
  }
  Object.assign(object, fields(headers));
  const { status, statusText } = upstream;
  return new Response(EMPTY.has(status) ? null : body, { status, statusText, headers: object });
}

// An answer of our own.
export function answer(status, headers, body) {
  return new Response(body, { status, headers: fields(headers) });
}

// Blocks of this size are read from our branch of a stream.
const BLOCK = 64 * 1024;

// A stream that workerd itself moves to the caller, while another branch of it waits to be read now and then.
//
// `ended` settles when the last byte has been handed over: 0 well, 1 when the caller left, 2 when the upstream broke.
export class Tap {
  constructor(request, upstream) {
    const [theirs, ours] = upstream.body.tee();
    const { readable, writable } = new IdentityTransformStream();
    this.readable = readable;
    this.reader = ours.getReader({ mode: "byob" });
    this.buffer = new ArrayBuffer(BLOCK);
    this.ended = theirs.pipeTo(writable).then(() => 0, () => {
      if (!request.signal.aborted) return 2;
      this.cancel(); // the last branch: with it goes the upstream
      return 1;
    });
  }

  // The next block of our branch; undefined at its end. Valid until the next read.
  async read() {
    try {
      const { value, done } = await this.reader.read(new Uint8Array(this.buffer));
      if (value !== undefined) this.buffer = value.buffer;
      return done ? undefined : value;
    } catch {
      return undefined; // `ended` says why
    }
  }

  // Until the stream has ended, or for so many milliseconds: how it ended, or undefined.
  async pause(milliseconds) {
    let timer;
    const rest = new Promise((resolve) => { timer = setTimeout(resolve, milliseconds); });
    const ended = await Promise.race([this.ended, rest]);
    clearTimeout(timer);
    return ended;
  }

  // Lets go of our branch.
  cancel() {
    this.reader.cancel().catch(() => {});
  }
}

// A stream that is moved chunk by chunk, of which `feed` is shown what Rust wants to see.
//
// `feed` takes a chunk, at the end undefined, and returns what is to be written in its place (undefined for nothing).
// While `unwatched` is set, chunks that `mayBypass` are not shown. `ended` settles like that of `Tap`.
export class Pump {
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
    writer.closed.catch(() => reader.cancel().catch(() => {}));
    let reading = false;
    try {
      for (;;) {
        reading = true;
        const { value, done } = await reader.read();
        reading = false;
        const bytes = this.unwatched && !done && mayBypass(value) ? value : feed(value);
        if (bytes !== undefined) await writer.write(bytes);
        if (done) break;
      }
      await writer.close();
      return request.signal.aborted ? 1 : 0;
    } catch (error) {
      if (request.signal.aborted || !reading) {
        reader.cancel(error).catch(() => {});
        return 1;
      }
      await writer.abort(error).catch(() => {});
      return 2;
    }
  }
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

// `[names, cursor]`: keys that begin with `prefix`, less it; the cursor is undefined on the last page.
export async function listKeys(env, prefix, cursor) {
  const page = await env.ROUTERS.list({ prefix, cursor });
  return [page.keys.map(({ name }) => name.slice(prefix.length)), page.list_complete ? undefined : page.cursor];
}

// ---- Records ----

// Writes one data point; `blobs` are separated by U+0000, the index is the first of them.
export function writePoint(env, blobs, doubles) {
  const [index, ...rest] = blobs.split("\0");
  env.METRICS?.writeDataPoint({ indexes: [index], blobs: rest, doubles: Array.from(doubles) });
}
