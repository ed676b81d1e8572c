// Vercel's `ai` with its three providers (OpenAI's for both of its APIs), in the form of `clients.mjs`.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { Output, generateText, jsonSchema, streamText, tool } from 'ai';
import { ADMIN_KEY } from '../harness.mjs';
import { seenNothing, usageOf } from './clients.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

const STOPS = { stop: 'stop', length: 'length', 'tool-calls': 'tools', 'content-filter': 'refusal' };

const textOf = (error) => (typeof error === 'string' ? error : error?.message ?? JSON.stringify(error));

function client(name, dialect, model, modelOf, options) {
  const body = (worker, routed, { system, text, image, tools, schema, effort, limit }, { before, results }) => ({
    model: modelOf(worker, routed),
    maxRetries: 0,
    messages: [
      ...(system ? [{ role: 'system', content: system }] : []),
      { role: 'user', content: [{ type: 'text', text }, ...(image ? [{ type: 'image', image: image.data, mediaType: image.mediaType }] : [])] },
      ...(before ? [...before.turn, { role: 'tool', content: results.map((each) => ({ type: 'tool-result', toolCallId: each.id, toolName: each.name, output: { type: 'text', value: each.text } })) }] : []),
    ],
    ...(tools && { tools: Object.fromEntries(tools.map((each) => [each.name, tool({ description: each.description, inputSchema: jsonSchema(each.schema) })])) }),
    ...(schema && { output: Output.object({ schema: jsonSchema(schema) }) }),
    ...(limit && { maxOutputTokens: limit }),
    providerOptions: options(effort),
  });
  const whole = (seen, { text, reasoningText, toolCalls, finishReason, usage, response }) => {
    seen.text = text;
    seen.thinking = reasoningText ?? '';
    seen.calls = toolCalls.map((call) => ({ id: call.toolCallId, name: call.toolName, args: call.input }));
    seen.stop = STOPS[finishReason];
    seen.usage = usageOf(usage.inputTokens, usage.inputTokenDetails?.cacheReadTokens, usage.outputTokens, usage.outputTokenDetails?.reasoningTokens);
    // It shows a refusal as the text, and knows it by the reason alone.
    if (seen.stop === 'refusal' && text) Object.assign(seen, { text: '', refused: text });
    seen.turn = response.messages;
  };
  return {
    name,
    dialect,
    model,
    async run(worker, routed, ask, { stream, ...rest }) {
      const seen = seenNothing();
      try {
        if (!stream) {
          whole(seen, await generateText(body(worker, routed, ask, rest)));
          return seen;
        }
        const result = streamText({ ...body(worker, routed, ask, rest), onError: () => {} });
        for await (const part of result.fullStream) {
          if (part.type === 'text-delta') seen.text += part.text;
          if (part.type === 'error') seen.error ??= { status: part.error?.statusCode, message: textOf(part.error) };
        }
        if (seen.error) return seen;
        const [text, reasoningText, toolCalls, finishReason, usage, response] = await Promise.all([result.text, result.reasoningText, result.toolCalls, result.finishReason, result.usage, result.response]);
        whole(seen, { text, reasoningText, toolCalls, finishReason, usage, response });
      } catch (error) {
        if (error instanceof TypeError) throw error;
        seen.error = { status: error.statusCode, message: textOf(error) };
      }
      return seen;
    },
  };
}

const openai = (worker) => createOpenAI({ baseURL: `${worker.url}/v1`, apiKey: ADMIN_KEY });
const BUDGET = 1024;

export const VERCEL = {
  'ai-chat': client('`ai`, @ai-sdk/openai, chat', 'openai', 'gpt-5', (worker, model) => openai(worker).chat(model), (effort) => ({ openai: { ...(effort && { reasoningEffort: effort }) } })),
  'ai-responses': client('`ai`, @ai-sdk/openai', 'openai_responses', 'gpt-5', (worker, model) => openai(worker)(model), (effort) => ({ openai: { store: false, ...(effort && { reasoningEffort: effort, reasoningSummary: 'auto', include: ['reasoning.encrypted_content'] }) } })),
  'ai-anthropic': client(
    '`ai`, @ai-sdk/anthropic', 'anthropic', 'claude-sonnet-4-6',
    (worker, model) => createAnthropic({ baseURL: `${worker.url}/v1`, apiKey: ADMIN_KEY })(model),
    (effort) => ({ anthropic: { structuredOutputMode: 'outputFormat', ...(effort && { thinking: { type: 'enabled', budgetTokens: BUDGET } }) } }),
  ),
  'ai-google': client(
    '`ai`, @ai-sdk/google', 'gemini', 'gemini-3-flash',
    (worker, model) => createGoogleGenerativeAI({ baseURL: `${worker.url}/v1beta`, apiKey: ADMIN_KEY })(model),
    (effort) => ({ google: { ...(effort && { thinkingConfig: { includeThoughts: true, thinkingBudget: BUDGET } }) } }),
  ),
};
