// What travels in the bench: the calls, the scripted answers, and the bytes a caller must see.
// Shared by the upstream, which sends them, and the load generator, which compares what arrived.

/** Content events in a streamed answer; a role event, a finish event and `[DONE]` come on top. */
export const CONTENT_EVENTS = 200;

const WORDS = "the train leaves the main line at the turnout and nobody on board feels which track was taken".split(" ");

function words(count, from = 0) {
  return Array.from({ length: count }, (_, index) => WORDS[(from + index * 7) % WORDS.length]).join(" ");
}

/** Text of about `bytes` bytes as prompts have it: lines, quotes and code, so that JSON must escape some of it. */
function prompt(bytes) {
  const lines = [];
  for (let size = 0, line = 0; size < bytes; line += 1) {
    lines.push(line % 4 === 3 ? `\tif (track == "main") { signal.set(${line}); }` : words(12, line));
    size += lines.at(-1).length + 1;
  }
  return lines.join("\n").slice(0, bytes);
}

/**
 * The body of one call. `bytes` is its size, `user` its unit; `usage` asks for the usage chunk itself.
 * Metadata and user are what conditions and assignment read; `models` are what may stand in for the model.
 */
export function callBody({ model, models, bytes, stream, usage, user }) {
  const messages = [{ role: "system", content: "You are a signalman. Answer briefly." }];
  const body = { model, messages, temperature: 0.7, user, metadata: { plan: "pro", language: "es" } };
  if (models) body.models = models;
  if (stream) body.stream = true;
  if (usage) body.stream_options = { include_usage: true };
  const left = bytes - JSON.stringify(body).length;
  // Turns of at most 32 KB: a long conversation rather than one endless string.
  for (let rest = left; rest > 0; rest -= 32_768) {
    messages.push({ role: messages.length % 2 ? "user" : "assistant", content: prompt(Math.max(16, Math.min(rest, 32_768) - 64)) });
  }
  return JSON.stringify(body);
}

/** A plain answer of about 1 KB. */
export const PLAIN_ANSWER = Buffer.from(
  JSON.stringify({
    id: "chatcmpl-BenchAnswer0000000000000001",
    object: "chat.completion",
    created: 1_763_600_000,
    model: "bench-model-2026-01-01",
    choices: [{ index: 0, message: { role: "assistant", content: words(96), refusal: null, annotations: [] }, logprobs: null, finish_reason: "stop" }],
    usage: usage(),
    service_tier: "default",
    system_fingerprint: null,
  }),
);

function usage() {
  return {
    prompt_tokens: 230,
    completion_tokens: CONTENT_EVENTS,
    total_tokens: 230 + CONTENT_EVENTS,
    prompt_tokens_details: { cached_tokens: 128, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
}

function event(choices, usageField, index) {
  const chunk = {
    id: "chatcmpl-BenchStream0000000000000001",
    object: "chat.completion.chunk",
    created: 1_763_600_000,
    model: "bench-model-2026-01-01",
    service_tier: "default",
    system_fingerprint: null,
    choices,
    ...usageField,
    obfuscation: "aB3xK9".slice(index % 6),
  };
  return Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`);
}

function choice(delta, finish_reason = null) {
  return [{ index: 0, delta, logprobs: null, finish_reason }];
}

/**
 * The events of a streamed answer, as OpenAI sends them: with `asked`, every chunk has `"usage":null` and one more
 * chunk, with empty choices, carries the usage.
 */
export function streamEvents(asked, contentEvents = CONTENT_EVENTS) {
  const none = asked ? { usage: null } : {};
  const events = [event(choice({ role: "assistant", content: "", refusal: null }), none, 0)];
  for (let index = 0; index < contentEvents; index += 1) {
    events.push(event(choice({ content: ` ${WORDS[index % WORDS.length]}` }), none, index));
  }
  events.push(event(choice({}, "stop"), none, 0));
  if (asked) events.push(event([], { usage: usage() }, 0));
  events.push(Buffer.from("data: [DONE]\n\n"));
  return events;
}

/**
 * The whole bodies that a caller may see, by what the gateway did. A caller that asked for usage sees all; one that did
 * not sees the stream without usage, or, where the gateway asked in its stead, the same less the usage chunk.
 */
export function expectedStreams(callerAsked, contentEvents = CONTENT_EVENTS) {
  const asked = streamEvents(true, contentEvents);
  if (callerAsked) return [{ path: "native", body: Buffer.concat(asked) }];
  return [
    { path: "native", body: Buffer.concat(streamEvents(false, contentEvents)) },
    { path: "filtered", body: Buffer.concat(asked.filter((_, index) => index !== asked.length - 2)) },
  ];
}
