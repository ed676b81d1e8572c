// What reached an upstream, reduced to what every dialect has a word for:
// `{system, texts, images, tools, calls: [{id, name, args}], results: [{id, name, text}], schema, thoughts, limit}`.
//
// In scope: each dialect's own form, and no other: what stands elsewhere is not found. Out of scope: answers.

const list = (value) => (value === undefined || value === null ? [] : Array.isArray(value) ? value : [value]);
const of = (items, type) => items.filter((item) => item.type === type);
const textsOf = (content) => (typeof content === 'string' ? [content] : list(content).filter((part) => 'text' in part).map(({ text }) => text));

/** A base64 data URL's halves. */
function dataUrl(url) {
  const [, mediaType, data] = /^data:([^;]+);base64,(.*)$/.exec(url) ?? [];
  return { mediaType, data };
}

export const RECEIVED = {
  openai(body) {
    const by = (...roles) => body.messages.filter(({ role }) => roles.includes(role));
    const parts = by('user').flatMap(({ content }) => (Array.isArray(content) ? content : []));
    return {
      system: by('system', 'developer').flatMap(({ content }) => textsOf(content)).join('\n'),
      texts: by('user').flatMap(({ content }) => textsOf(content)),
      images: of(parts, 'image_url').map(({ image_url }) => dataUrl(image_url.url)),
      tools: list(body.tools).map((tool) => ({ name: tool.function.name, schema: tool.function.parameters })),
      calls: by('assistant').flatMap(({ tool_calls }) => list(tool_calls)).map((call) => ({ id: call.id, name: call.function.name, args: JSON.parse(call.function.arguments) })),
      results: by('tool').map(({ tool_call_id, content }) => ({ id: tool_call_id, text: textsOf(content).join('') })),
      schema: body.response_format?.json_schema?.schema,
      thoughts: by('assistant').flatMap(({ reasoning_content }) => list(reasoning_content)),
      limit: body.max_completion_tokens ?? body.max_tokens,
      effort: body.reasoning_effort !== undefined,
    };
  },

  anthropic(body) {
    const by = (wanted) => body.messages.filter(({ role }) => role === wanted).flatMap(({ content }) => (typeof content === 'string' ? [{ type: 'text', text: content }] : content));
    return {
      system: textsOf(body.system).join('\n'),
      texts: textsOf(of(by('user'), 'text')),
      images: of(by('user'), 'image').map(({ source }) => ({ mediaType: source.media_type, data: source.data })),
      tools: list(body.tools).map((tool) => ({ name: tool.name, schema: tool.input_schema })),
      calls: of(by('assistant'), 'tool_use').map(({ id, name, input }) => ({ id, name, args: input })),
      results: of(by('user'), 'tool_result').map(({ tool_use_id, content }) => ({ id: tool_use_id, text: textsOf(content).join('') })),
      schema: body.output_config?.format?.schema ?? body.output_format?.schema,
      thoughts: of(by('assistant'), 'thinking').map(({ signature }) => signature),
      limit: body.max_tokens,
      effort: ['enabled', 'adaptive'].includes(body.thinking?.type),
    };
  },

  openai_responses(body) {
    const items = list(typeof body.input === 'string' ? { role: 'user', content: body.input } : body.input);
    const by = (...roles) => items.filter(({ role }) => roles.includes(role));
    const parts = by('user').flatMap(({ content }) => (Array.isArray(content) ? content : []));
    return {
      system: [...list(body.instructions), ...by('system', 'developer').flatMap(({ content }) => textsOf(content))].join('\n'),
      texts: by('user').flatMap(({ content }) => textsOf(content)),
      images: of(parts, 'input_image').map(({ image_url }) => dataUrl(image_url)),
      tools: of(list(body.tools), 'function').map((tool) => ({ name: tool.name, schema: tool.parameters })),
      calls: of(items, 'function_call').map((call) => ({ id: call.call_id, name: call.name, args: JSON.parse(call.arguments) })),
      results: of(items, 'function_call_output').map(({ call_id, output }) => ({ id: call_id, text: textsOf(output).join('') })),
      schema: body.text?.format?.schema,
      thoughts: of(items, 'reasoning').map(({ encrypted_content }) => encrypted_content),
      limit: body.max_output_tokens,
      effort: body.reasoning?.effort !== undefined,
    };
  },

  gemini(body) {
    const by = (wanted) => body.contents.filter(({ role }) => role === wanted).flatMap(({ parts }) => parts);
    const config = body.generationConfig ?? {};
    return {
      system: textsOf(body.systemInstruction?.parts).join('\n'),
      texts: textsOf(by('user')),
      images: by('user').filter(({ inlineData }) => inlineData).map(({ inlineData }) => ({ mediaType: inlineData.mimeType, data: inlineData.data })),
      tools: list(body.tools).flatMap(({ functionDeclarations }) => list(functionDeclarations)).map((tool) => ({ name: tool.name, schema: tool.parametersJsonSchema ?? tool.parameters })),
      calls: by('model').filter(({ functionCall }) => functionCall).map(({ functionCall }) => ({ id: functionCall.id, name: functionCall.name, args: functionCall.args })),
      results: by('user').filter(({ functionResponse }) => functionResponse).map(({ functionResponse: { id, name, response } }) => ({ id, name, text: response.output ?? response.content ?? JSON.stringify(response) })),
      schema: config.responseJsonSchema ?? config.responseSchema,
      thoughts: by('model').flatMap(({ thoughtSignature }) => list(thoughtSignature)),
      limit: config.maxOutputTokens,
      effort: config.thinkingConfig?.thinkingBudget !== undefined || config.thinkingConfig?.thinkingLevel !== undefined,
    };
  },
};
