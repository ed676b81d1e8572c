// What a provider of each dialect sends that has this to say:
// `{thinking, signature, text, calls: [{id, name, args}], refusal, stop, usage: {input, cached, output, reasoning}, failure}`.
//
// In scope: the provider's own form, whole and streamed, modelled on recordings; errors. Out of scope: who asks, and
// what our translators would write: nothing here is written with them in mind.
import { DONE, event, json, sse } from '../upstream.mjs';

const CREATED = 1_795_000_000;

/** Two pieces of a text, as a model would stream it. */
function halves(text) {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)].filter((piece) => piece !== '');
}

const named = (value) => `event: ${value.type}\n${event(value)}`;

const openai = {
  usage: ({ input, cached, output, reasoning }) => ({
    prompt_tokens: input, completion_tokens: output, total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  }),
  stops: { stop: 'stop', length: 'length', tools: 'tool_calls', refusal: 'stop' },
  calls: (calls) => calls.map(({ id, name, args }) => ({ id, type: 'function', function: { name, arguments: JSON.stringify(args) } })),
  whole(said) {
    const message = { role: 'assistant', content: said.text ?? null, refusal: said.refusal ?? null, annotations: [] };
    if (said.thinking) message.reasoning_content = said.thinking;
    if (said.calls) message.tool_calls = this.calls(said.calls);
    return json({
      id: 'chatcmpl-1', object: 'chat.completion', created: CREATED, model: 'gpt-5-2026', service_tier: 'default', system_fingerprint: null,
      choices: [{ index: 0, message, logprobs: null, finish_reason: this.stops[said.stop] }], usage: this.usage(said.usage),
    });
  },
  stream(said) {
    const chunk = (rest) => event({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: CREATED, model: 'gpt-5-2026', service_tier: 'default', system_fingerprint: null, ...rest, obfuscation: 'x7' });
    const delta = (fields, finish_reason = null) => chunk({ choices: [{ index: 0, delta: fields, logprobs: null, finish_reason }], usage: null });
    const chunks = [delta({ role: 'assistant', content: '', refusal: null })];
    for (const piece of halves(said.thinking ?? '')) chunks.push(delta({ reasoning_content: piece }));
    for (const piece of halves(said.text ?? '')) chunks.push(delta({ content: piece }));
    for (const piece of halves(said.refusal ?? '')) chunks.push(delta({ refusal: piece }));
    for (const [index, call] of this.calls(said.calls ?? []).entries()) {
      chunks.push(delta({ tool_calls: [{ index, ...call, function: { ...call.function, arguments: '' } }] }));
      for (const piece of halves(call.function.arguments)) chunks.push(delta({ tool_calls: [{ index, function: { arguments: piece } }] }));
    }
    if (said.failure) return sse([...chunks, event({ error: { message: said.failure.message, type: 'server_error', param: null, code: null } })]);
    chunks.push(delta({}, this.stops[said.stop]), chunk({ choices: [], usage: this.usage(said.usage) }), DONE);
    return sse(chunks);
  },
  error: ({ status, message }) => json({
    error: { message, type: status === 429 ? 'requests' : 'invalid_request_error', param: status === 429 ? null : 'top_p', code: status === 429 ? 'rate_limit_exceeded' : null },
  }, { status }),
};

const anthropic = {
  usage: ({ input, cached, output, reasoning }) => ({
    input_tokens: input - cached, cache_creation_input_tokens: 0, cache_read_input_tokens: cached,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 }, output_tokens: output,
    output_tokens_details: { thinking_tokens: reasoning }, service_tier: 'standard', inference_geo: 'not_available',
  }),
  stops: { stop: 'end_turn', length: 'max_tokens', tools: 'tool_use', refusal: 'refusal' },
  end(said) {
    const details = said.stop === 'refusal' ? { type: 'refusal', category: 'cyber', explanation: said.refusal } : null;
    return { stop_reason: this.stops[said.stop], stop_sequence: null, stop_details: details };
  },
  blocks(said) {
    return [
      ...(said.thinking ? [{ type: 'thinking', thinking: said.thinking, signature: said.signature }] : []),
      ...(said.text ? [{ type: 'text', text: said.text }] : []),
      ...(said.calls ?? []).map(({ id, name, args }) => ({ type: 'tool_use', id, name, input: args, caller: { type: 'direct' } })),
    ];
  },
  whole(said) {
    return json({ model: 'claude-sonnet-4-6', id: 'msg_01', type: 'message', role: 'assistant', content: this.blocks(said), ...this.end(said), usage: this.usage(said.usage) });
  },
  stream(said) {
    const { output_tokens: _, ...counted } = this.usage(said.usage);
    const message = { model: 'claude-sonnet-4-6', id: 'msg_01', type: 'message', role: 'assistant', content: [], stop_reason: null, stop_sequence: null, usage: { ...counted, output_tokens: 1 } };
    const chunks = [named({ type: 'message_start', message })];
    for (const [index, block] of this.blocks(said).entries()) {
      const [empty, deltas] = {
        thinking: () => [{ thinking: '', signature: '' }, [...halves(block.thinking).map((thinking) => ({ type: 'thinking_delta', thinking })), { type: 'signature_delta', signature: block.signature }]],
        text: () => [{ text: '' }, halves(block.text).map((text) => ({ type: 'text_delta', text }))],
        tool_use: () => [{ input: {} }, ['', ...halves(JSON.stringify(block.input))].map((partial_json) => ({ type: 'input_json_delta', partial_json }))],
      }[block.type]();
      chunks.push(named({ type: 'content_block_start', index, content_block: { ...block, ...empty } }), named({ type: 'ping' }));
      for (const delta of deltas) chunks.push(named({ type: 'content_block_delta', index, delta }));
      if (said.failure) return sse([...chunks, named({ type: 'error', error: { type: 'overloaded_error', message: said.failure.message } })]);
      chunks.push(named({ type: 'content_block_stop', index }));
    }
    chunks.push(named({ type: 'message_delta', delta: this.end(said), usage: this.usage(said.usage) }), named({ type: 'message_stop' }));
    return sse(chunks);
  },
  error: ({ status, message }) => json({ type: 'error', error: { type: status === 429 ? 'rate_limit_error' : 'invalid_request_error', message }, request_id: 'req_01' }, { status }),
};

const openai_responses = {
  usage: ({ input, cached, output, reasoning }) => ({
    input_tokens: input, input_tokens_details: { cached_tokens: cached }, output_tokens: output,
    output_tokens_details: { reasoning_tokens: reasoning }, total_tokens: input + output,
  }),
  items(said) {
    const status = said.stop === 'length' ? 'incomplete' : 'completed';
    const content = said.refusal ? { type: 'refusal', refusal: said.refusal } : { type: 'output_text', annotations: [], logprobs: [], text: said.text };
    return [
      ...(said.thinking ? [{ id: 'rs_01', type: 'reasoning', encrypted_content: said.signature, summary: [{ type: 'summary_text', text: said.thinking }] }] : []),
      ...(said.text || said.refusal ? [{ id: 'msg_01', type: 'message', status, content: [content], role: 'assistant' }] : []),
      ...(said.calls ?? []).map(({ id, name, args }, index) => ({ id: `fc_0${index}`, type: 'function_call', status: 'completed', arguments: JSON.stringify(args), call_id: id, name })),
    ];
  },
  response(rest) {
    return {
      id: 'resp_01', object: 'response', created_at: CREATED, status: 'in_progress', background: false, error: null, incomplete_details: null, instructions: null,
      max_output_tokens: null, model: 'gpt-5-2026', output: [], parallel_tool_calls: true, previous_response_id: null, prompt_cache_key: null,
      reasoning: { effort: 'medium', summary: null }, service_tier: 'default', store: false, temperature: 1, text: { format: { type: 'text' }, verbosity: 'medium' },
      tool_choice: 'auto', tools: [], top_logprobs: 0, top_p: 1, truncation: 'disabled', usage: null, user: null, metadata: {}, ...rest,
    };
  },
  ended(said) {
    const cut = said.stop === 'length';
    return this.response({
      status: cut ? 'incomplete' : 'completed', incomplete_details: cut ? { reason: 'max_output_tokens' } : null, output: this.items(said), usage: this.usage(said.usage),
    });
  },
  whole(said) {
    return json(this.ended(said));
  },
  stream(said) {
    const chunks = [];
    const say = (type, rest) => chunks.push(named({ type, sequence_number: chunks.length, ...rest }));
    say('response.created', { response: this.response() });
    say('response.in_progress', { response: this.response() });
    for (const [output_index, item] of this.items(said).entries()) {
      const at = { item_id: item.id, output_index };
      const pieces = (name, text, rest) => halves(text).forEach((delta) => say(`${name}.delta`, { ...at, ...rest, delta, obfuscation: 'Pq' }));
      say('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', ...{ message: { content: [] }, reasoning: { summary: [], status: undefined }, function_call: { arguments: '' } }[item.type] } });
      if (item.type === 'reasoning') {
        const [part] = item.summary;
        say('response.reasoning_summary_part.added', { ...at, summary_index: 0, part: { ...part, text: '' } });
        pieces('response.reasoning_summary_text', part.text, { summary_index: 0 });
        say('response.reasoning_summary_text.done', { ...at, summary_index: 0, text: part.text });
        say('response.reasoning_summary_part.done', { ...at, summary_index: 0, part });
      } else if (item.type === 'message') {
        const [part] = item.content;
        const refuses = part.type === 'refusal';
        say('response.content_part.added', { ...at, content_index: 0, part: refuses ? { ...part, refusal: '' } : { ...part, text: '' } });
        pieces(`response.${part.type}`, part.text ?? part.refusal, refuses ? { content_index: 0 } : { content_index: 0, logprobs: [] });
        if (said.failure) {
          say('response.failed', { response: this.response({ status: 'failed', error: { code: 'server_error', message: said.failure.message } }) });
          return sse(chunks);
        }
        say(`response.${part.type}.done`, { ...at, content_index: 0, ...(refuses ? { refusal: part.refusal } : { text: part.text, logprobs: [] }) });
        say('response.content_part.done', { ...at, content_index: 0, part });
      } else {
        pieces('response.function_call_arguments', item.arguments, {});
        say('response.function_call_arguments.done', { ...at, arguments: item.arguments });
      }
      say('response.output_item.done', { output_index, item });
    }
    const response = this.ended(said);
    say(`response.${response.status}`, { response });
    return sse(chunks);
  },
  error: openai.error,
};

const gemini = {
  usage: ({ input, cached, output, reasoning }) => ({
    promptTokenCount: input, ...(output > reasoning && { candidatesTokenCount: output - reasoning }), totalTokenCount: input + output, cachedContentTokenCount: cached,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: input }], thoughtsTokenCount: reasoning,
  }),
  stops: { stop: 'STOP', length: 'MAX_TOKENS', tools: 'STOP', refusal: 'SAFETY' },
  parts(said, pieces) {
    const signed = (index) => (index === 0 && said.signature ? { thoughtSignature: said.signature } : {});
    return [
      ...pieces(said.thinking ?? '').map((text) => ({ text, thought: true })),
      ...pieces(said.text ?? '').map((text, index) => ({ text, ...(said.calls ? {} : signed(index)) })),
      ...(said.calls ?? []).map(({ name, args }, index) => ({ functionCall: { name, args }, ...signed(index) })),
    ];
  },
  answer: (parts, said, finishReason) => ({
    candidates: [{ ...(parts.length > 0 && { content: { parts, role: 'model' } }), ...(finishReason && { finishReason }), index: 0 }],
    usageMetadata: gemini.usage(said.usage), modelVersion: 'gemini-3-flash', responseId: 'M3iLaY',
  }),
  whole(said) {
    return json(this.answer(this.parts(said, (text) => (text ? [text] : [])), said, this.stops[said.stop]));
  },
  stream(said) {
    const data = (value) => `data: ${JSON.stringify(value)}\r\n\r\n`;
    const chunks = this.parts(said, halves).map((part) => data(this.answer([part], said)));
    if (said.failure) return sse([...chunks, data({ error: { code: 503, message: said.failure.message, status: 'UNAVAILABLE' } })]);
    return sse([...chunks, data(this.answer(said.stop === 'refusal' ? [] : [{ text: '' }], said, this.stops[said.stop]))]);
  },
  error: ({ status, message }) => json({ error: { code: status, message, status: status === 429 ? 'RESOURCE_EXHAUSTED' : 'INVALID_ARGUMENT' } }, { status }),
};

/** By the dialect's name. */
export const PROVIDERS = { openai, anthropic, openai_responses, gemini };
