// What is cheaper on this side of the border. Every crossing between JavaScript and wasm costs, so what belongs together
// crosses together, as lines of one string. Upstream calls and streams are in `upstream.js`.

import { waitUntil } from "cloudflare:workers";
import { joined, whenLeft } from "./upstream.js";

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

// As many random numbers, uniform over all of 64 bits.
export function draws(count) {
  return crypto.getRandomValues(new BigUint64Array(count));
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

// ---- Settings ----

// A variable or secret; undefined where there is none or it is no string.
export function setting(env, name) {
  const value = env[name];
  return typeof value === "string" ? value : undefined;
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

// With metadata, which is JSON.
export function writeWith(env, key, bytes, metadata) {
  return env.ROUTERS.put(key, bytes.slice(), { metadata: JSON.parse(metadata) });
}

// `[[key, metadata as JSON], …], cursor`, of whole keys.
export async function listWith(env, prefix, cursor) {
  const page = await env.ROUTERS.list({ prefix, cursor });
  const keys = page.keys.map(({ name, metadata }) => [name, metadata ? JSON.stringify(metadata) : undefined]);
  return [keys, page.list_complete ? undefined : page.cursor];
}

// ---- Control's database ----

// The rows that a statement gives, each an array.
export function select({ sql }, statement, bindings) {
  return [...sql.exec(statement, ...bindings).raw()];
}

// Statements with their bindings, all of them or none.
export function transact(storage, statements) {
  storage.transactionSync(() => {
    for (const [statement, bindings] of statements) storage.sql.exec(statement, ...bindings);
  });
}

// ---- Rate limits ----

// Counts a call of a key: whether it may be made, or, where the binding cannot say, why not.
export async function count(env, binding, key) {
  const limiter = env[binding];
  if (!limiter) return "there is none";
  try {
    const { success } = await limiter.limit({ key });
    return success === false ? false : true;
  } catch (error) {
    return `${error}`;
  }
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
