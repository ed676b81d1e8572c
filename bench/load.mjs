// The load generator: a process that makes the calls of one round, checks every answer, and reports times.
// Told over IPC: `{round}`, `{single}`, `{lockstep}` or `{failover}`; answers `{result}` or `{fault}`, a sentence.

import http from "node:http";

import { callBody, expectedStreams, PLAIN_ANSWER } from "./chat.mjs";

/** No call of the bench takes nearly as long; one that does is a fault, in milliseconds. */
const CALL_LIMIT_MS = 20_000;
/** Where a paced stream was not buffered, the caller saw at least this share of its events one by one. */
const LEAST_ARRIVALS = 0.25;
/** And from its first byte to its last passed at least this share of the time that sending took. */
const LEAST_SPAN = 0.8;
/** Bodies made before the round, so that making them is no part of it; users differ, so both variants serve. */
const BODIES = 64;

/** Idle connections are let go before workerd does that (5 s), so that no call meets one that is just being closed. */
const IDLE_LIMIT_MS = 2_000;

const agent = new http.Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 256, timeout: IDLE_LIMIT_MS });

/** Makes one call; `onData` sees each part as it arrives. Answers with status, body and the times of first and last byte. */
function call(url, key, body, { onData = () => {}, more = {} } = {}) {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json", "content-length": Buffer.byteLength(body), ...more };
    const request = http.request(url, { method: "POST", agent, headers }, (response) => {
      const parts = [];
      const seen = { status: response.statusCode, headers: response.headers, startedAt, firstAt: 0, lastAt: 0, arrivals: 0 };
      response.on("data", (part) => {
        seen.lastAt = performance.now();
        seen.firstAt ||= seen.lastAt;
        seen.arrivals += 1;
        parts.push(part);
        onData(part);
      });
      response.on("end", () => resolve({ ...seen, body: Buffer.concat(parts) }));
      response.on("error", reject);
    });
    request.setNoDelay(true);
    request.setTimeout(CALL_LIMIT_MS, () => request.destroy(new Error(`no answer within ${CALL_LIMIT_MS} ms`)));
    request.on("error", reject);
    request.end(body);
  });
}

function demand(holds, sentence) {
  if (!holds) throw new Error(sentence);
}

/** Status and bytes are right; answers which path the gateway took. */
function checkAnswer(answer, expected) {
  demand(answer.status === 200, `status ${answer.status}: ${answer.body.toString().slice(0, 400)}`);
  const match = expected.find(({ body }) => body.equals(answer.body));
  demand(match, `the caller saw ${answer.body.length} bytes that are not the upstream's (expected ${expected.map(({ body }) => body.length).join(" or ")}); they end: …${answer.body.toString().slice(-300)}`);
  return match.path;
}

/** The events of a paced stream reached the caller over time, as they were sent. */
function checkArrival(answer, { paceMs, events }) {
  const sending = paceMs * (events - 1);
  const span = answer.lastAt - answer.firstAt;
  demand(span >= LEAST_SPAN * sending, `a stream sent over ${sending} ms arrived within ${span.toFixed(0)} ms: it was buffered`);
  demand(answer.arrivals >= LEAST_ARRIVALS * events, `${events} events arrived in ${answer.arrivals} parts: they were held back`);
}

function bodies({ kind, bytes, model }) {
  const stream = kind !== "plain";
  return Array.from({ length: BODIES }, (_, index) => callBody({ model, bytes, stream, usage: kind === "asked", user: `user-${index}` }));
}

function expected(kind) {
  return kind === "plain" ? [{ path: "plain", body: PLAIN_ANSWER }] : expectedStreams(kind === "asked");
}

/** `calls` calls, `atOnce` at a time. Starts are spread over one pace, so that streams do not tick together. */
async function round({ url, key, calls, atOnce, kind, bytes, model, pace }) {
  const made = bodies({ kind, bytes, model });
  const right = expected(kind);
  const paths = new Set();
  const startedAt = performance.now();
  let next = 0;
  const lane = async (index) => {
    if (pace) await new Promise((resolve) => setTimeout(resolve, (index * 97) % 100));
    while (next < calls) {
      next += 1;
      const answer = await call(url, key, made[next % BODIES]);
      paths.add(checkAnswer(answer, right));
      if (pace) checkArrival(answer, pace);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, (_, index) => lane(index)));
  return { paths: [...paths], elapsedMs: performance.now() - startedAt };
}

/** One streamed call on a quiet gateway: the time to its first byte, in milliseconds. */
async function single({ url, key, kind, bytes, model }) {
  const answer = await call(url, key, callBody({ model, bytes, stream: kind !== "plain", usage: kind === "asked", user: "user-1" }));
  demand(answer.status === 200, `status ${answer.status}: ${answer.body.toString().slice(0, 400)}`);
  return { ttftMs: answer.firstAt - answer.startedAt };
}

/** The upstream sends an event only when the caller has acknowledged the one before: a gateway that holds any back stands still. */
async function lockstep({ url, key, kind, model, upstream, contentEvents }) {
  const acknowledge = () => http.request(`${upstream}/acknowledge`, { method: "POST", agent }, (response) => response.resume()).end();
  let received = "";
  let acknowledged = 1; // the first event is followed by the second without being asked
  const onData = (part) => {
    received += part;
    for (const seen = received.split("\n\n").length - 1; acknowledged < seen; acknowledged += 1) acknowledge();
    // A withheld usage chunk is never seen: its acknowledgement follows that of the finish event.
    if (kind === "unasked" && received.includes('"finish_reason":"stop"') && !received.includes("[DONE]")) acknowledge();
  };
  const body = callBody({ model, bytes: 1024, stream: true, usage: kind === "asked", user: "user-1" });
  const answer = await call(url, key, body, { onData });
  return { paths: [checkAnswer(answer, expectedStreams(kind === "asked", contentEvents))] };
}

/**
 * `calls` calls that fail over from the downstream `dead`, each beside one to the healthy target alone; and what a bare worker,
 * `fetcher`, takes with a call to the dead end and without: all times in milliseconds, how many of the first were answered right, and how
 * often those met the failure.
 */
async function failover({ url, key, kind, bytes, calls, dead, deadEnd, fetcher }) {
  const healthy = "openai/model-a";
  const right = expected(kind);
  const body = (model, rest) => callBody({ model, bytes, stream: kind !== "plain", usage: kind === "asked", user: "user-1", ...rest });
  const times = { healthyMs: [], failedOverMs: [], withMs: [], withoutMs: [] };
  let succeeded = 0;
  let failures = 0;
  const timed = async (times, attempt) => {
    const startedAt = performance.now();
    const answer = await attempt();
    times.push(performance.now() - startedAt);
    return answer;
  };
  const one = {
    healthy: async () => checkAnswer(await timed(times.healthyMs, () => call(url, key, body(healthy))), right),
    failedOver: async (at) => {
      const answer = await timed(times.failedOverMs, () => call(url, key, body(`${dead}/model-${at}`, { models: [healthy] })));
      checkAnswer(answer, right);
      const attempts = answer.headers["x-turnout-attempts"] ?? "";
      demand(attempts.startsWith(`${dead}/model-${at}:`) && attempts.includes(`,${healthy}:200:`), `this did not fail over: ${attempts}`);
      succeeded += 1;
      failures += attempts.split(",").length - 1;
    },
    with: () => timed(times.withMs, () => call(fetcher, key, body("model"), { more: { "x-dead-end": `${deadEnd}/chat/completions` } })),
    without: () => timed(times.withoutMs, () => call(fetcher, key, body("model"))),
  };
  for (let at = 0; at < calls; at += 1) {
    // Turn and turn about, so that none always comes after the same one.
    const order = Object.keys(one);
    for (const name of at % 2 ? order.toReversed() : order) {
      const fault = await one[name](at).then(() => null, (error) => error);
      if (fault && name !== "failedOver") throw fault;
      if (fault && succeeded === 0) throw fault;
    }
  }
  return { ...times, succeeded, failures };
}

const COMMANDS = { round, single, lockstep, failover };

process.on("message", async (message) => {
  const [name, parameters] = Object.entries(message)[0];
  try {
    process.send({ result: await COMMANDS[name](parameters) });
  } catch (error) {
    process.send({ fault: error.message });
  }
});
process.on("disconnect", () => process.exit());
