// The cells that cannot be as expected, one by one, each with its reason and with what is there instead:
// `{path: [expected, got]}`. A cell that is other than this, better or worse, fails.
//
// None is ours: in each the SDK itself never gives, or never keeps, what would be needed.

const SIGNATURE = 'RXBRQkNwUUJBWm9QMm5uUm9hUkF6Zz09';

const UNREAD = '@ai-sdk/openai reads no thoughts of Chat Completions, from OpenAI or anyone, so it has none to send back';
const unread = (thoughts) => ({ thinking: ['First, the city.', ''], ...thoughts, 'then.thinking': ['So it is cold.', ''] });

const OPENAPI = '@ai-sdk/google writes schemas in OpenAPI\'s form and leaves out `additionalProperties: false` (which the encoder for Anthropic puts back where it must stand)';
const openapi = (path) => ({ [`received.${path}.additionalProperties`]: [false, null] });

const both = (row) => ['whole', 'streamed'].map((way) => ({ ...row, way }));
const all = ['openai', 'anthropic', 'openai_responses', 'gemini'];

export const EXCEPTIONS = [
  { client: 'ai-chat', dialect: 'openai', scenario: 'reasoning', reason: UNREAD, differs: unread({ 'then.received.thoughts': [['First, the city.'], []] }) },
  { client: 'ai-chat', dialect: 'anthropic', scenario: 'reasoning', reason: UNREAD, differs: unread({ 'then.received.thoughts': [[SIGNATURE], []] }) },
  { client: 'ai-chat', dialect: 'openai_responses', scenario: 'reasoning', reason: UNREAD, differs: unread({ 'then.received.thoughts': [[SIGNATURE], []] }) },
  {
    client: 'ai-chat', dialect: 'gemini', scenario: 'reasoning', differs: unread({ 'then.received.thoughts.0': [SIGNATURE, 'skip_thought_signature_validator'] }),
    reason: `${UNREAD}; Google's own word for a call whose signature is lost stands in for it`,
  },
  ...all.map((dialect) => ({ client: 'ai-google', dialect, scenario: 'tool call and result', reason: OPENAPI, differs: openapi('tools.0.schema') })),
  ...all.filter((dialect) => dialect !== 'anthropic').map((dialect) => ({ client: 'ai-google', dialect, scenario: 'structured output', reason: OPENAPI, differs: openapi('schema') })),
].flatMap(both);
