// The official SDKs as clients: each is asked in its own words, and what it returns is reduced to one form.
//
// An ask is `{system, text, image, tools, schema, effort, limit}`; `before` is what an earlier ask was answered, and
// `results` what its tools gave. What is seen is `{text, thinking, calls: [{id, name, args}], stop, refused, usage, error}`
// and `turn`, the answer as the SDK wants it back. `strict: false` takes what a provider sent that our worker may not. Out of scope: Vercel's `ai` (`vercel.mjs`), expectations.
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { ADMIN_KEY } from '../harness.mjs';

/** Nothing seen so far. */
export const seenNothing = () => ({ text: '', thinking: '', calls: [], stop: undefined, refused: undefined, usage: undefined, error: undefined });

/** Every member that is a count; what a dialect leaves out is 0. */
export const usageOf = (input, cached, output, reasoning) => ({ input: input ?? 0, cached: cached ?? 0, output: output ?? 0, reasoning: reasoning ?? 0 });

/** Fills `seen`, and puts the SDK's error into it. */
async function seeing(body) {
  const seen = seenNothing();
  try {
    await body(seen);
  } catch (error) {
    if (error instanceof assert.AssertionError || error instanceof TypeError) throw error;
    seen.error = { status: error.status, message: error.message };
  }
  return seen;
}

const CHAT_STOPS = { stop: 'stop', length: 'length', tool_calls: 'tools', content_filter: 'refusal' };

/** Mistral's content is a list of parts, those of a thought among them. */
const textOf = (content) => (Array.isArray(content) ? content.filter(({ type }) => type === 'text').map(({ text }) => text).join('') : (content ?? ''));

/** A call; the free text of a custom tool as dialects put it that have only JSON. */
const chatCall = ({ id, function: called, custom }) => ({ id, name: (custom ?? called).name, args: custom ? { input: custom.input } : JSON.parse(called.arguments) });

function chatSeen(seen, message, finish, usage) {
  seen.text = textOf(message.content);
  seen.thinking = message.reasoning_content ?? message.reasoning ?? '';
  seen.calls = (message.tool_calls ?? []).map(chatCall);
  seen.refused = message.refusal ?? undefined;
  seen.stop = message.refusal || finish === 'content_filter' ? 'refusal' : CHAT_STOPS[finish];
  seen.usage = usage && usageOf(usage.prompt_tokens, usage.prompt_tokens_details?.cached_tokens, usage.completion_tokens, usage.completion_tokens_details?.reasoning_tokens);
  seen.turn = message;
}

/** A message of the pieces so far, as an app puts them together that knows `reasoning_content` and `reasoning_details`. */
function grown(message, delta) {
  for (const name of ['content', 'refusal', 'reasoning_content']) if (delta[name] != null) message[name] = (message[name] ?? '') + textOf(delta[name]);
  for (const detail of delta.reasoning_details ?? []) {
    const details = (message.reasoning_details ??= []);
    const same = details.find(({ index, type }) => index === detail.index && type === detail.type);
    if (!same) details.push({ ...detail });
    else for (const [name, value] of Object.entries(detail)) same[name] = ['text', 'summary', 'data'].includes(name) ? (same[name] ?? '') + value : value;
  }
  for (const { index, function: called, custom, ...rest } of delta.tool_calls ?? []) {
    const calls = (message.tool_calls ??= []);
    const call = (calls[index] ??= { ...rest, ...(custom ? { custom: { name: custom.name, input: '' } } : { function: { name: called.name, arguments: '' } }) });
    if (custom) call.custom.input += custom.input ?? '';
    else call.function.arguments += called?.arguments ?? '';
  }
  for (const [name, value] of Object.entries(delta)) if (!(name in message)) message[name] = value;
}

const chat = {
  name: '`openai`, chat.completions',
  dialect: 'openai',
  model: 'gpt-5',
  body({ system, text, image, tools, schema, effort, limit }, before, results) {
    const content = image ? [{ type: 'text', text }, { type: 'image_url', image_url: { url: `data:${image.mediaType};base64,${image.data}` } }] : text;
    return {
      messages: [
        ...(system ? [{ role: 'system', content: system }] : []), { role: 'user', content },
        ...(before ? [before.turn, ...results.map(({ id, text: result }) => ({ role: 'tool', tool_call_id: id, content: result }))] : []),
      ],
      ...(tools && { tools: tools.map(({ name, description, schema: parameters }) => ({ type: 'function', function: { name, description, parameters } })) }),
      ...(schema && { response_format: { type: 'json_schema', json_schema: { name: 'place', strict: true, schema } } }),
      ...(effort && { reasoning_effort: effort }), ...(limit && { max_completion_tokens: limit }),
    };
  },
  run(worker, model, ask, { stream, before, results, strict = true }) {
    const client = new OpenAI({ baseURL: `${worker.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0 });
    return seeing(async (seen) => {
      const body = { model, ...this.body(ask, before, results) };
      if (!stream) {
        const { choices: [{ message, finish_reason }], usage } = await client.chat.completions.create(body);
        return chatSeen(seen, message, finish_reason, usage);
      }
      const message = { role: 'assistant', content: null };
      let finish;
      let usage;
      try {
        for await (const chunk of await client.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } })) {
          if (strict) assert.equal(chunk.object, 'chat.completion.chunk');
          if (chunk.choices[0]) grown(message, chunk.choices[0].delta);
          finish = chunk.choices[0]?.finish_reason ?? finish;
          usage = chunk.usage ?? usage;
        }
      } finally {
        // What an app has in hand when a stream fails.
        if (finish) chatSeen(seen, message, finish, usage);
        else seen.text = message.content ?? '';
      }
    });
  },
};

const responses = {
  name: '`openai`, responses',
  dialect: 'openai_responses',
  model: 'gpt-5',
  body({ system, text, image, tools, schema, effort, limit }, before, results) {
    const content = [{ type: 'input_text', text }, ...(image ? [{ type: 'input_image', detail: 'auto', image_url: `data:${image.mediaType};base64,${image.data}` }] : [])];
    return {
      store: false, include: ['reasoning.encrypted_content'], ...(system && { instructions: system }),
      input: [{ role: 'user', content }, ...(before ? [...before.turn, ...results.map(({ id, text: output }) => ({ type: 'function_call_output', call_id: id, output }))] : [])],
      ...(tools && { tools: tools.map(({ name, description, schema: parameters }) => ({ type: 'function', name, description, parameters, strict: false })) }),
      ...(schema && { text: { format: { type: 'json_schema', name: 'place', strict: true, schema } } }),
      ...(effort && { reasoning: { effort, summary: 'auto' } }), ...(limit && { max_output_tokens: limit }),
    };
  },
  seen(seen, response) {
    const { output, usage } = response;
    const messages = output.filter(({ type }) => type === 'message').flatMap(({ content }) => content);
    seen.text = response.output_text ?? messages.map((part) => part.text ?? '').join('');
    seen.thinking = output.filter(({ type }) => type === 'reasoning').flatMap(({ summary, content }) => [...(content ?? []), ...summary]).map(({ text }) => text).join('');
    seen.calls = output.filter(({ type }) => type === 'function_call' || type === 'custom_tool_call')
      .map(({ type, call_id: id, name, arguments: args, input }) => ({ id, name, args: type === 'function_call' ? JSON.parse(args) : { input } }));
    seen.refused = messages.find(({ type }) => type === 'refusal')?.refusal;
    const reason = response.incomplete_details?.reason;
    seen.stop = seen.refused !== undefined || reason === 'content_filter' ? 'refusal' : reason === 'max_output_tokens' ? 'length' : seen.calls.length > 0 ? 'tools' : 'stop';
    assert.equal(response.status, reason ? 'incomplete' : 'completed');
    seen.usage = usage && usageOf(usage.input_tokens, usage.input_tokens_details?.cached_tokens, usage.output_tokens, usage.output_tokens_details?.reasoning_tokens);
    seen.turn = output;
  },
  run(worker, model, ask, { stream, before, results, strict = true }) {
    const client = new OpenAI({ baseURL: `${worker.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0 });
    return seeing(async (seen) => {
      const body = { model, ...this.body(ask, before, results) };
      if (!stream) return this.seen(seen, await client.responses.create(body));
      let number = 0;
      let ended;
      const grownText = { text: '', thinking: '', calls: '' };
      // The SDK's helper, which puts the answer together by indices and ids and throws where they do not fit.
      for await (const event of client.responses.stream(body)) {
        if (strict) assert.equal(event.sequence_number, number, event.type);
        number += 1;
        if (event.type === 'response.output_text.delta') seen.text = grownText.text += event.delta;
        if (event.type === 'response.reasoning_summary_text.delta' || event.type === 'response.reasoning_text.delta') grownText.thinking += event.delta;
        if (event.type === 'response.function_call_arguments.delta') grownText.calls += event.delta;
        if (event.type === 'error') throw new OpenAI.OpenAIError(event.message);
        if (event.type === 'response.failed') throw new OpenAI.OpenAIError(event.response.error.message);
        if (event.type === 'response.completed' || event.type === 'response.incomplete') ended = event.response;
      }
      assert.ok(ended, 'no terminal event');
      this.seen(seen, ended);
      assert.deepEqual(grownText, { text: seen.text, thinking: seen.thinking, calls: seen.turn.filter(({ type }) => type === 'function_call').map((call) => call.arguments).join('') });
    });
  },
};

const ANTHROPIC_STOPS = { end_turn: 'stop', max_tokens: 'length', tool_use: 'tools', refusal: 'refusal' };
/** The least budget of thought that Anthropic takes, and an answer's room beside it. */
const BUDGET = 1024;

const messages = {
  name: '`@anthropic-ai/sdk`',
  dialect: 'anthropic',
  model: 'claude-sonnet-4-6',
  body({ system, text, image, tools, schema, effort, limit }, before, results) {
    const content = image ? [{ type: 'image', source: { type: 'base64', media_type: image.mediaType, data: image.data } }, { type: 'text', text }] : text;
    return {
      max_tokens: limit ?? 4096, ...(system && { system }),
      messages: [
        { role: 'user', content },
        ...(before ? [{ role: 'assistant', content: before.turn }, { role: 'user', content: results.map(({ id, text: result }) => ({ type: 'tool_result', tool_use_id: id, content: result })) }] : []),
      ],
      ...(tools && { tools: tools.map(({ name, description, schema: input_schema }) => ({ name, description, input_schema })) }),
      ...(schema && { output_config: { format: { type: 'json_schema', schema } } }),
      ...(effort && { thinking: { type: 'enabled', budget_tokens: BUDGET } }),
    };
  },
  seen(seen, message) {
    const joined = (type, member) => message.content.filter((block) => block.type === type).map((block) => block[member]).join('');
    seen.text = joined('text', 'text');
    seen.thinking = joined('thinking', 'thinking');
    seen.calls = message.content.filter(({ type }) => type === 'tool_use').map(({ id, name, input }) => ({ id, name, args: input }));
    seen.stop = ANTHROPIC_STOPS[message.stop_reason];
    seen.refused = message.stop_reason === 'refusal' ? (message.stop_details?.explanation ?? (seen.text || undefined)) : undefined;
    if (message.stop_reason === 'refusal' && seen.refused === seen.text) seen.text = '';
    const { usage } = message;
    seen.usage = usageOf(usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0), usage.cache_read_input_tokens, usage.output_tokens, usage.output_tokens_details?.thinking_tokens);
    seen.turn = message.content;
  },
  run(worker, model, ask, { stream, before, results }) {
    const client = new Anthropic({ baseURL: worker.url, apiKey: ADMIN_KEY, maxRetries: 0 });
    return seeing(async (seen) => {
      const body = { model, ...this.body(ask, before, results) };
      if (!stream) return this.seen(seen, await client.messages.create(body));
      const helper = client.messages.stream(body);
      helper.on('text', (delta) => { seen.text += delta; });
      const open = new Set();
      let next = 0;
      for await (const event of helper) {
        if (event.type === 'content_block_start') {
          assert.equal(event.index, next, 'blocks are numbered in order');
          next += 1;
          open.add(event.index);
        }
        if (event.type === 'content_block_delta') assert.ok(open.has(event.index), 'a block grows while it is open');
        if (event.type === 'content_block_stop') assert.ok(open.delete(event.index), 'a block is closed once');
        if (event.type === 'message_stop') assert.equal(open.size, 0, 'all blocks are closed');
      }
      const told = seen.text;
      const message = await helper.finalMessage();
      this.seen(seen, message);
      if (seen.stop !== 'refusal') assert.equal(told, seen.text);
    });
  },
};

const GEMINI_STOPS = { STOP: 'stop', MAX_TOKENS: 'length', SAFETY: 'refusal' };

const gemini = {
  name: '`@google/genai`',
  dialect: 'gemini',
  model: 'gemini-3-flash',
  body({ system, text, image, tools, schema, effort, limit }, before, results) {
    return {
      contents: [
        { role: 'user', parts: [{ text }, ...(image ? [{ inlineData: { mimeType: image.mediaType, data: image.data } }] : [])] },
        ...(before ? [{ role: 'model', parts: before.turn }, { role: 'user', parts: results.map(({ id, name, text: output }) => ({ functionResponse: { ...(id && { id }), name, response: { output } } })) }] : []),
      ],
      config: {
        httpOptions: { retryOptions: { attempts: 1 } },
        ...(system && { systemInstruction: system }),
        ...(tools && { tools: [{ functionDeclarations: tools.map(({ name, description, schema: parametersJsonSchema }) => ({ name, description, parametersJsonSchema })) }] }),
        ...(schema && { responseMimeType: 'application/json', responseJsonSchema: schema }),
        ...(effort && { thinkingConfig: { includeThoughts: true, thinkingBudget: BUDGET } }), ...(limit && { maxOutputTokens: limit }),
      },
    };
  },
  seen(seen, parts, candidate, blocked, usage) {
    const texts = (thought) => parts.filter((part) => part.text !== undefined && Boolean(part.thought) === thought).map(({ text }) => text).join('');
    seen.text = texts(false);
    seen.thinking = texts(true);
    seen.calls = parts.filter(({ functionCall }) => functionCall).map(({ functionCall: { id, name, args } }) => ({ id, name, args }));
    seen.stop = blocked ? 'refusal' : GEMINI_STOPS[candidate?.finishReason];
    if (seen.stop === 'stop' && seen.calls.length > 0) seen.stop = 'tools';
    seen.refused = seen.stop === 'refusal' ? (candidate?.finishMessage ?? (seen.text || undefined)) : undefined;
    if (seen.refused === seen.text) seen.text = '';
    seen.usage = usage && usageOf(usage.promptTokenCount, usage.cachedContentTokenCount, (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0), usage.thoughtsTokenCount);
    seen.turn = parts;
  },
  run(worker, model, ask, { stream, before, results }) {
    const client = new GoogleGenAI({ apiKey: ADMIN_KEY, httpOptions: { baseUrl: worker.url } });
    return seeing(async (seen) => {
      const body = { model, ...this.body(ask, before, results) };
      if (!stream) {
        const answer = await client.models.generateContent(body);
        const [candidate] = answer.candidates ?? [];
        return this.seen(seen, candidate?.content?.parts ?? [], candidate, answer.promptFeedback?.blockReason, answer.usageMetadata);
      }
      const parts = [];
      let ended = {};
      let usage;
      let blocked;
      for await (const chunk of await client.models.generateContentStream(body)) {
        const [candidate] = chunk.candidates ?? [];
        parts.push(...(candidate?.content?.parts ?? []));
        seen.text = parts.filter(({ text, thought }) => text && !thought).map(({ text }) => text).join('');
        if (candidate) ended = { ...ended, ...candidate };
        usage = chunk.usageMetadata ?? usage;
        blocked = chunk.promptFeedback?.blockReason ?? blocked;
      }
      this.seen(seen, parts, ended, blocked, usage);
    });
  },
};

export const SDKS = { chat, responses, messages, gemini };
