// Upstream calls on this side of the border: one attempt from its sending to its commitment, and the moving of its stream
// afterwards, which workerd does by itself where nothing has to be changed.
//
// Little is decided in this file: what is a stream, which headers are an upstream's own, which chunks need no look. When to
// send, to give up and to commit is said by Rust.

// ---- Callers ----

// Calls back once the caller has gone away; at once where it has already, for a signal tells only those who wait for it.
export function whenLeft({ signal }, callback) {
  if (signal.aborted) callback();
  else signal.addEventListener("abort", callback, { once: true });
}

// ---- Sending ----

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

// How long one attempt is waited for: until its time is over or its caller has left. What is waited for then rejects with
// "timeout" or "left".
class Patience {
  constructor(request, milliseconds, mayOutlive) {
    this.milliseconds = milliseconds;
    this.over = undefined;
    this.reject = undefined;
    // Only an attempt that the call may outlive has to be cancelled by itself: any other ends with the invocation, and an
    // abort signal on `fetch` costs every chunk of the answer a look at it.
    this.controller = mayOutlive ? new AbortController() : undefined;
    this.timer = setTimeout(() => this.end("timeout"), milliseconds);
    whenLeft(request, () => this.end("left"));
  }

  end(why) {
    if (this.over !== undefined) return;
    this.settle(why);
    this.reject?.(why);
    this.controller?.abort();
  }

  // The attempt is over or committed: neither time nor caller ends it from here on.
  settle(why = "settled") {
    this.over ??= why;
    clearTimeout(this.timer);
  }

  // A promise, for as long as it is waited for.
  until(promise) {
    return new Promise((resolve, reject) => {
      this.reject = reject;
      if (this.over !== undefined) reject(this.over);
      promise.then(resolve, (error) => {
        this.settle();
        reject(error);
      });
    });
  }
}

let heeded = [];

// Names the headers of errors that are told to Rust.
export function heed(names) {
  heeded = names.split("\n");
}

// Sends a call: `[response, summary, body, patience]`. The summary is its status and content type, a line each, and of an
// error name and value of the headers that are heeded; the body is undefined where it is a stream, and null where it broke
// off; the patience goes on where it is a stream. Redirects are not followed: they would carry the credential to another host.
export function exchange(request, streamed, budget, mayOutlive, url, headers, body, ranges, replacements) {
  const patience = new Patience(request, budget, mayOutlive);
  if (patience.over !== undefined) return Promise.reject(patience.over);
  const init = {
    method: "POST",
    headers: fields(headers),
    body: spliced(body, ranges, replacements),
    redirect: "manual",
  };
  if (patience.controller !== undefined) init.signal = patience.controller.signal;
  return received(patience, streamed, fetch(url, init));
}

// What `exchange` resolves to, of a response that is at hand, after so many milliseconds.
export function receive(request, streamed, budget, mayOutlive, upstream, delay) {
  return received(new Patience(request, budget, mayOutlive), streamed, sleep(delay).then(() => upstream));
}

function received(patience, streamed, sent) {
  return patience.until(sent.then((upstream) => {
    const { status, ok, body } = upstream;
    // Of such a status no response can be made.
    if (status < 200 || status > 599) {
      body?.cancel().catch(() => {});
      throw new RangeError(`status ${status}`);
    }
    const type = upstream.headers.get("content-type") ?? "";
    let summary = `${status}\n${type}`;
    if (ok && body !== null && isStream(type, streamed)) return [upstream, summary, undefined, patience];
    if (!ok) {
      for (const name of heeded) {
        const value = upstream.headers.get(name);
        if (value !== null) summary += `\n${name}\n${value}`;
      }
    }
    const whole = ok ? upstream.arrayBuffer().then((bytes) => new Uint8Array(bytes), () => null) : errorBody(body, Math.min(ERROR_BODY_MS, patience.milliseconds / 2));
    return whole.then((bytes) => {
      patience.settle();
      return [upstream, summary, bytes];
    });
  }));
}

// An error's status says most of it: its body is waited for this long, but at most for half of the attempt's time, and read
// up to this length.
const ERROR_BODY_MS = 1_000;
const ERROR_BODY_BYTES = 1 << 20;

// The body of an error, or null where it broke off, stalls or does not end.
async function errorBody(body, longest) {
  if (body === null) return new Uint8Array();
  const reader = body.getReader();
  const giveUp = () => reader.cancel().catch(() => {});
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    giveUp();
  }, longest);
  const chunks = [];
  let length = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return late ? null : joined(chunks);
      chunks.push(value);
      length += value.byteLength;
      if (length > ERROR_BODY_BYTES) {
        giveUp();
        return null;
      }
    }
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
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

export function joined(chunks) {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
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

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Resolves after so many milliseconds to false; to true at once where the caller leaves before.
export function pause(request, milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), milliseconds);
    whenLeft(request, () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
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

// An answer with the upstream's headers, and the lines in `headers` over them. The copy of a whole response is made by
// workerd, at a third of the cost of an object of headers.
export function pass(upstream, status, headers, body) {
  const content = EMPTY.has(status) ? null : body;
  const answer = status === upstream.status
    ? new Response(content, upstream)
    : new Response(content, { status, headers: upstream.headers });
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

// How long our branch may still give what lies there when the caller has left. Then it goes, and the upstream with it.
const FAREWELL_MS = 20;

// A stream that workerd itself moves to the caller once it is committed, while another branch of it is read: at once
// before that, now and then after.
//
// `outcome` is undefined until the last byte has been handed over, then 0 for well, 1 where the caller left, 2 where the
// upstream broke.
class Tap {
  constructor(request, upstream, patience) {
    // The first branch is the cheaper one to pipe (measured: 1.46 times a passthrough against 2.10).
    const [theirs, ours] = upstream.body.tee();
    this.request = request;
    this.patience = patience;
    this.theirs = theirs;
    this.reader = ours.getReader({ mode: "byob" });
    this.buffer = new ArrayBuffer(BLOCK);
    this.outcome = undefined;
    this.more = false;
  }

  async block() {
    const { value, done } = await this.reader.read(new Uint8Array(this.buffer));
    if (value !== undefined) this.buffer = value.buffer;
    this.more = value?.byteLength === BLOCK;
    return done ? undefined : value;
  }

  // Before commitment: the next block, valid until the next one is asked for; undefined at the end. Rejects where the stream
  // breaks or is waited for no longer.
  next() {
    return this.patience.until(this.block());
  }

  // Lets the caller have it. Returns what the caller is to read.
  commit() {
    this.patience.settle();
    const { request } = this;
    const { readable, writable } = new IdentityTransformStream();
    this.writable = writable;
    this.ended = new Promise((resolve) => {
      const end = (outcome) => {
        this.outcome ??= outcome;
        resolve();
      };
      // How it ends for the caller is said by `close`, once it is known whether it was whole.
      this.theirs.pipeTo(writable, { preventClose: true, preventAbort: true })
        .then(() => end(0), () => end(request.signal.aborted ? 1 : 2));
      // The pipe does not see a caller who leaves while the upstream is silent. Once the record is written the invocation
      // ends, and the upstream call with it.
      whenLeft(request, () => {
        end(1);
        setTimeout(() => this.cancel(), FAREWELL_MS);
      });
    });
    return readable;
  }

  // After commitment: the next block, but not before the stream has ended or so many milliseconds have passed; at once where
  // the last block was full, for what is not read lies in memory. Undefined at the end, and where it broke: `outcome` says why.
  async later(milliseconds) {
    if (this.outcome === undefined && !this.more) {
      let timer;
      await Promise.race([this.ended, new Promise((resolve) => { timer = setTimeout(resolve, milliseconds); })]);
      clearTimeout(timer);
    }
    return this.block().catch(() => undefined);
  }

  // Ends it for the caller, after `ending` where there is one.
  async close(ending) {
    try {
      const writer = this.writable.getWriter();
      if (ending !== undefined) await writer.write(ending);
      await writer.close();
    } catch {
      // The caller has left.
    }
  }

  // Lets go of our branch.
  cancel() {
    this.reader.cancel().catch(() => {});
  }

  // Lets go of both, and so of the upstream. Not after commitment.
  abandon() {
    this.patience.settle();
    this.cancel();
    this.theirs.cancel().catch(() => {});
  }
}

// A stream that is moved chunk by chunk, of which `feed` is shown what Rust wants to see.
//
// `feed` takes a chunk, undefined at the end and null where the stream broke, and returns what is to be written in its place
// (undefined for nothing). While `unwatched` is set, chunks that `mayBypass` are not shown; once `over` is, nothing more is read. `run` resolves to an outcome
// like that of `Tap`.
class Pump {
  constructor(request, upstream, patience) {
    this.request = request;
    this.patience = patience;
    this.reader = upstream.body.getReader();
    this.unwatched = false;
    this.over = false;
  }

  // As of `Tap`.
  next() {
    return this.patience.until(this.reader.read().then(({ value, done }) => (done ? undefined : value)));
  }

  // As of `Tap`.
  commit() {
    this.patience.settle();
    const { readable, writable } = new IdentityTransformStream();
    this.writer = writable.getWriter();
    return readable;
  }

  // Moves the rest, after `held`.
  async run(held, feed) {
    const { request, reader, writer } = this;
    const { signal } = request;
    // A caller who leaves while the upstream is silent is seen here, and not by a write.
    whenLeft(request, () => { reader.cancel().catch(() => {}); });
    try {
      if (held !== undefined) await writer.write(held);
      for (;;) {
        const chunk = await reader.read().then(({ value, done }) => (done ? undefined : value), () => null);
        if (signal.aborted) return 1;
        const bytes = chunk && this.unwatched && mayBypass(chunk) ? chunk : feed(chunk);
        if (bytes !== undefined) await writer.write(bytes);
        if (!chunk || this.over) {
          if (this.over) reader.cancel().catch(() => {});
          await writer.close();
          return chunk === undefined ? 0 : 2;
        }
      }
    } catch (error) {
      reader.cancel(error).catch(() => {});
      return 1;
    }
  }

  // As of `Tap`.
  abandon() {
    this.patience.settle();
    this.reader.cancel().catch(() => {});
  }
}

export function openTap(request, upstream, patience) {
  return new Tap(request, upstream, patience);
}

export function openPump(request, upstream, patience) {
  return new Pump(request, upstream, patience);
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
