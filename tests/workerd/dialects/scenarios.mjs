// What is asked, what the provider says to it, what the client's SDK is to see, and what must have reached the provider.

const USAGE = { input: 20, cached: 8, output: 5, reasoning: 0 };
const THOUGHT = { ...USAGE, output: 9, reasoning: 4 };
const CITY = { type: 'object', properties: { city: { type: 'string', description: 'Its name' } }, required: ['city'], additionalProperties: false };
const TOOLS = [{ name: 'weather', description: 'The weather of a city', schema: CITY }];
const IMAGE = { mediaType: 'image/png', data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==' };
/** As each provider makes them; Gemini's calls have none. */
const CALL_IDS = { openai: 'call_Ab12', anthropic: 'toolu_01Ab12', openai_responses: 'call_Ab12', gemini: undefined };
const SECOND_IDS = { openai: 'call_Cd34', anthropic: 'toolu_01Cd34', openai_responses: 'call_Cd34', gemini: undefined };
const idOf = (upstream, ids = CALL_IDS) => (ids[upstream] ? { id: ids[upstream] } : {});
/** Base64, for Gemini's is checked to be. */
const SIGNATURE = 'RXBRQkNwUUJBWm9QMm5uUm9hUkF6Zz09';

const nothing = { text: '', thinking: '', calls: [], stop: 'stop', usage: USAGE };
const call = { name: 'weather', args: { city: 'Brno' } };
const second = { name: 'weather', args: { city: 'Graz' } };

/**
 * `ask`; `says(upstream)` or `fails`; `seen`, without the ids of calls; `received`, a subset of what reached the upstream.
 * A scenario with `then` goes on: `results` are given to the model's calls, and the same four are of the second call.
 */
export const SCENARIOS = {
  text: {
    ask: { system: 'Be brief.', text: 'Hi', limit: 2000 },
    says: () => ({ text: 'Hello thére 😀', stop: 'stop', usage: USAGE }),
    seen: { ...nothing, text: 'Hello thére 😀' },
    received: { system: 'Be brief.', texts: ['Hi'], limit: 2000 },
  },
  'tool call and result': {
    ask: { system: 'Be brief.', text: 'How is the weather in Brno?', tools: TOOLS },
    says: (upstream) => ({ text: 'I look.', calls: [{ id: CALL_IDS[upstream], ...call }], stop: 'tools', usage: USAGE }),
    seen: { ...nothing, text: 'I look.', calls: [call], stop: 'tools' },
    received: { tools: [{ name: 'weather', schema: CITY }] },
    then: {
      results: [{ name: 'weather', text: 'It snows.' }],
      says: () => ({ text: 'Snow.', stop: 'stop', usage: USAGE }),
      seen: { ...nothing, text: 'Snow.' },
      received: (upstream) => ({ system: 'Be brief.', calls: [{ ...idOf(upstream), ...call }], results: [{ ...idOf(upstream), text: 'It snows.' }] }),
    },
  },
  'two calls at once': {
    ask: { text: 'How is the weather in Brno and in Graz?', tools: TOOLS },
    says: (upstream) => ({ calls: [{ id: CALL_IDS[upstream], ...call }, { id: SECOND_IDS[upstream], ...second }], stop: 'tools', usage: USAGE }),
    seen: { ...nothing, calls: [call, second], stop: 'tools' },
    received: { texts: ['How is the weather in Brno and in Graz?'] },
    then: {
      results: [{ name: 'weather', text: 'It snows.' }, { name: 'weather', text: 'It rains.' }],
      says: () => ({ text: 'Snow and rain.', stop: 'stop', usage: USAGE }),
      seen: { ...nothing, text: 'Snow and rain.' },
      received: (upstream) => ({
        calls: [{ ...idOf(upstream), ...call }, { ...idOf(upstream, SECOND_IDS), ...second }],
        results: [{ ...idOf(upstream), text: 'It snows.' }, { ...idOf(upstream, SECOND_IDS), text: 'It rains.' }],
      }),
    },
  },
  'structured output': {
    ask: { text: 'Where?', schema: CITY },
    says: () => ({ text: '{"city":"Brno"}', stop: 'stop', usage: USAGE }),
    seen: { ...nothing, text: '{"city":"Brno"}' },
    received: { schema: CITY },
  },
  image: {
    ask: { text: 'What is this?', image: IMAGE },
    says: () => ({ text: 'A dot.', stop: 'stop', usage: USAGE }),
    seen: { ...nothing, text: 'A dot.' },
    received: { texts: ['What is this?'], images: [IMAGE] },
  },
  reasoning: {
    ask: { text: 'Think.', effort: 'low', tools: TOOLS },
    says: (upstream) => ({ thinking: 'First, the city.', signature: SIGNATURE, calls: [{ id: CALL_IDS[upstream], ...call }], stop: 'tools', usage: THOUGHT }),
    seen: { ...nothing, thinking: 'First, the city.', calls: [call], stop: 'tools', usage: THOUGHT },
    received: { effort: true },
    then: {
      results: [{ name: 'weather', text: 'It snows.' }],
      says: () => ({ thinking: 'So it is cold.', signature: SIGNATURE, text: 'Cold.', stop: 'stop', usage: THOUGHT }),
      seen: { ...nothing, thinking: 'So it is cold.', text: 'Cold.', usage: THOUGHT },
      // A thought comes back to the provider whose it was, with what that knows it by.
      received: (upstream) => ({ thoughts: [upstream === 'openai' ? 'First, the city.' : SIGNATURE], results: [{ ...idOf(upstream), text: 'It snows.' }] }),
    },
  },
  refusal: {
    ask: { text: 'Harm.' },
    says: () => ({ refusal: 'I cannot do that.', stop: 'refusal', usage: USAGE }),
    seen: { ...nothing, stop: 'refusal' },
    received: { texts: ['Harm.'] },
  },
  length: {
    ask: { text: 'Go on.', limit: 2000 },
    says: () => ({ text: 'And so', stop: 'length', usage: USAGE }),
    seen: { ...nothing, text: 'And so', stop: 'length' },
    received: { limit: 2000 },
  },
  'error 429': {
    ask: { text: 'Hi' },
    fails: { status: 429, message: 'Slow down, please.' },
  },
  'error 400': {
    ask: { text: 'Hi' },
    fails: { status: 400, message: 'That is not possible here.' },
  },
  'error in stream': {
    ask: { text: 'Hi' },
    streamedOnly: true,
    says: () => ({ text: 'Half of', stop: 'stop', usage: USAGE, failure: { message: 'The machine broke.' } }),
    // What had been said before, which here is all of it.
    seen: { text: 'Half of', error: 'The machine broke.' },
  },
};
