// The scripted upstream: a process that answers Chat Completions as the run tells it to, and counts what it was asked.
// Told and asked over IPC: `{set: manner}` answers `{counts}` of the time before and starts anew. Under `/down` it answers 503, under
// `/reset` it resets the connection; at `closedPort` nobody listens.

import http from "node:http";

import { CONTENT_EVENTS, PLAIN_ANSWER, streamEvents } from "./chat.mjs";

/** How streams are sent: `burst`, `paced` (an event every `paceMs`) or `lockstep` (the next when the last was acknowledged). */
let manner = { mode: "burst", paceMs: 0, contentEvents: CONTENT_EVENTS };
let counts = noCounts();
let acknowledged = () => {};

function noCounts() {
  return { calls: 0, bodyBytes: 0, askedForUsage: 0, leftEarly: 0, failures: 0 };
}

const eventLists = new Map();

function events(asked) {
  const key = `${asked} ${manner.contentEvents}`;
  if (!eventLists.has(key)) eventLists.set(key, streamEvents(asked, manner.contentEvents));
  return eventLists.get(key);
}

/** Every event a write, and so an HTTP chunk, of its own: as servers of models do. */
function sendStream(response, list) {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  let next = 0;
  const send = () => {
    response.write(list[next]);
    next += 1;
    return next < list.length;
  };
  if (manner.mode === "burst") {
    while (send());
    response.end();
  } else if (manner.mode === "paced") {
    const timer = setInterval(() => {
      if (send()) return;
      clearInterval(timer);
      response.end();
    }, manner.paceMs);
    response.once("close", () => clearInterval(timer));
  } else {
    acknowledged = () => {
      if (next < list.length && !send()) response.end();
    };
    // The first event says only who speaks; a gateway that holds a stream until it says something passes it with the second.
    send();
    send();
  }
}

function answer(body, response) {
  counts.calls += 1;
  counts.bodyBytes += body.length;
  const call = JSON.parse(body);
  if (!call.stream) {
    response.writeHead(200, { "content-type": "application/json", "content-length": PLAIN_ANSWER.length });
    return response.end(PLAIN_ANSWER);
  }
  const asked = call.stream_options?.include_usage === true;
  counts.askedForUsage += asked ? 1 : 0;
  response.once("close", () => (counts.leftEarly += response.writableFinished ? 0 : 1));
  return sendStream(response, events(asked));
}

/** A path that fails, and whether it is one. */
function failed(request, response) {
  if (request.url.startsWith("/reset/")) request.socket.resetAndDestroy();
  else if (request.url.startsWith("/down/")) request.resume().once("end", () => response.writeHead(503, { "content-type": "application/json" }).end(DOWN));
  else return false;
  counts.failures += 1;
  return true;
}

const DOWN = JSON.stringify({ error: { message: "The engine is currently overloaded.", type: "server_error", param: null, code: "overloaded" } });

const server = http.createServer((request, response) => {
  if (failed(request, response)) return undefined;
  if (request.url === "/acknowledge") {
    response.end();
    return acknowledged();
  }
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => answer(Buffer.concat(parts), response));
});
server.keepAliveTimeout = 60_000;
server.on("connection", (socket) => socket.setNoDelay(true));
const closed = http.createServer().listen(0, "127.0.0.1", () => {
  const closedPort = closed.address().port;
  closed.close(() => server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port, closedPort })));
});

process.on("message", ({ set }) => {
  process.send({ counts });
  counts = noCounts();
  if (set) manner = { contentEvents: CONTENT_EVENTS, ...set };
});
process.on("disconnect", () => process.exit());
