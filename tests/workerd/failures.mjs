// How an upstream fails before it has said anything: the table that is played against every kind of call.
//
// A failure is
//   `scripts`    what the failing target answers, `(kind) => [script, …]`; `undefined` for one that cannot be reached
//   `attempts`   how its attempts read in `x-turnout-attempts`, less the target; /unreachable/ for one or two of them:
//                workerd says the same of connections that were reset, which are opened once more, as of some others
//   `alone`      what the caller gets where there is no other target: what `checkFailed` takes
//   `kinds`      the kinds of calls that it is for, all by default
//   `settings`   the route's `failover`
//   `abandoned`  whether the attempt goes on for ever unless it is cancelled, `(kind) => boolean`
import { gzipSync } from 'node:zlib';
import { KINDS } from './stage.mjs';
import { UPSTREAM_KEY, delta, destroy, drip, event, json, pause, reset, roleChunk, sse, stall } from './upstream.mjs';

const EVERY = Object.keys(KINDS);
const STREAMS = EVERY.filter((kind) => KINDS[kind].stream);
const WHOLE = ['whole'];

const IN_TIME = { ttft_timeout: '300ms', attempt_timeout: '300ms' };

const error = (code, rest = {}) => ({ error: { message: 'This went wrong.', type: 'a_type', param: null, code, ...rest } });
const HTML = '<html><head><title>503</title></head><body><h1>Service Unavailable</h1></body></html>';
const PIECE_OF_KEY = `${UPSTREAM_KEY.slice(0, 8)}*****${UPSTREAM_KEY.slice(-4)}`;
const ROLE = event(roleChunk());
const EVENTS = { 'content-type': 'text/event-stream' };
const JSON_TYPE = { 'content-type': 'application/json' };

const UNREACHABLE = { status: 502, code: 'upstream_unreachable', outcome: 'unreachable' };
const CUT = { status: 502, code: 'upstream_unreachable', outcome: 'cut' };
const LATE = { status: 504, code: 'upstream_timeout', outcome: 'timeout' };
const CREDENTIALS = { status: 502, code: 'upstream_credentials', outcome: 'upstream_error' };
const MODEL = { status: 502, code: 'upstream_model', outcome: 'upstream_error' };

/** An answer with an error status; alone it passes as it is. */
function refusal(status, value, kind, headers = {}) {
  const script = json(value, { status, headers });
  return {
    scripts: () => [script],
    attempts: [String(status)],
    alone: { status, body: script.body, outcome: 'upstream_error', kind, headers },
  };
}

/** A refusal of the operator, who alone is told. */
function fault(status, value, alone) {
  return { ...refusal(status, value), alone };
}

/** An error in the place of the first event, or of the whole body; alone it comes with the status that it stands for. */
function inBand(value, alone, before = '') {
  const text = JSON.stringify(value);
  return {
    scripts: (kind) => [kind === 'whole' ? json(text) : sse([`${before}${event(text)}`, stall])],
    attempts: ['200-in_band_error'],
    alone: { body: text, outcome: 'in_band_error', ...alone },
    abandoned: (kind) => kind !== 'whole',
  };
}

/** An answer of status 200 that says nothing that could be passed on. */
function noAnswer(script, kinds = EVERY) {
  return { kinds, scripts: () => [script], attempts: ['200-cut'], alone: CUT };
}

/** An answer that never comes to say anything. */
function late(scripts, attempt, kinds = EVERY) {
  return { kinds, scripts, attempts: [attempt], alone: LATE, settings: IN_TIME, abandoned: () => true };
}

export const FAILURES = {
  // No HTTP answer.
  'a connection refused': { scripts: undefined, attempts: [/unreachable/], alone: UNREACHABLE },
  'a connection reset, twice': { scripts: () => [{ chunks: [reset] }, { chunks: [reset] }], attempts: ['unreachable', 'unreachable'], alone: UNREACHABLE },
  'an answer that is no HTTP': {
    scripts: () => Array(2).fill(async ({ response }) => {
      response.socket.write('SSH-2.0-OpenSSH_9.6\r\n');
      return { chunks: [destroy] };
    }),
    attempts: [/unreachable/],
    alone: UNREACHABLE,
  },

  // Statuses.
  408: refusal(408, error('request_timeout'), 'request_timeout'),
  '409, a lock': refusal(409, error('conflict'), 'conflict'),
  425: refusal(425, error('too_early'), 'too_early'),
  '429 without a word on when': refusal(429, error('rate_limit_exceeded'), 'rate_limit_exceeded'),
  '429 that asks for 30 s': refusal(429, error('rate_limit_exceeded'), 'rate_limit_exceeded', { 'retry-after': '30' }),
  '429 that asks for a date': refusal(429, error('rate_limit_exceeded'), 'rate_limit_exceeded', { 'retry-after': new Date(Date.now() + 40_000).toUTCString() }),
  500: refusal(500, error('server_error'), 'server_error'),
  502: refusal(502, error('bad_gateway'), 'bad_gateway'),
  503: refusal(503, error('overloaded'), 'overloaded'),
  '503 in HTML': { ...refusal(503, HTML, ''), scripts: () => [{ status: 503, headers: { 'content-type': 'text/html' }, body: HTML }] },
  '503 without a body': { scripts: () => [{ status: 503, body: '' }], attempts: ['503'], alone: { status: 503, body: '', outcome: 'upstream_error', kind: '' } },
  '529, which is no standard status': refusal(529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, 'overloaded_error'),
  '503 as a stream of events': {
    scripts: () => [{ status: 503, headers: EVENTS, body: event(error('overloaded')) }],
    attempts: ['503'],
    alone: { status: 503, body: event(error('overloaded')), outcome: 'upstream_error', kind: undefined },
  },

  '503 whose body breaks off': {
    scripts: () => [{ status: 503, headers: { ...JSON_TYPE, 'content-length': '5000' }, chunks: ['{"error":', pause(20), destroy] }],
    attempts: ['503'],
    alone: { status: 502, code: 'upstream_unreachable', outcome: 'upstream_error' },
  },
  '503 in gzip': {
    ...refusal(503, error('overloaded'), 'overloaded'),
    scripts: () => [{ status: 503, headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: gzipSync(JSON.stringify(error('overloaded'))) }],
  },

  // The operator's faults.
  '401 with a piece of the key': fault(401, error('invalid_api_key', { message: `Incorrect API key provided: ${PIECE_OF_KEY}.` }), CREDENTIALS),
  '402': fault(402, error('payment_required'), CREDENTIALS),
  '403 with the key': fault(403, error('permission_denied', { message: `Bearer ${UPSTREAM_KEY} may not do this.` }), CREDENTIALS),
  '429 for a quota that is used up': fault(429, error('insufficient_quota', { type: 'insufficient_quota' }), CREDENTIALS),
  '500 with the key': fault(500, error('oops', { message: `Bearer ${UPSTREAM_KEY} broke.` }), CREDENTIALS),
  'a model that is not there': fault(404, error('model_not_found'), MODEL),
  '404 in HTML': { ...fault(404, HTML, MODEL), scripts: () => [{ status: 404, headers: { 'content-type': 'text/html' }, body: HTML }] },
  'a redirect': {
    scripts: () => [{ status: 307, headers: { location: 'https://example.com/v1/chat/completions' }, body: '' }],
    attempts: ['307'],
    alone: { status: 502, code: 'upstream_unreachable', outcome: 'upstream_error' },
  },

  // Errors inside a 200.
  'an error with a status of its own': inBand(error(503), { status: 503, kind: '503' }),
  'an error with a status of its own, as text': inBand(error('429'), { status: 429, kind: '429' }),
  'an error with a word': inBand(error('rate_limit_exceeded'), { status: 429, kind: 'rate_limit_exceeded' }),
  'an error that nobody knows': inBand(error('moonlight'), { status: 502, kind: 'moonlight' }),
  'an error after comments': { kinds: STREAMS, ...inBand(error(503), { status: 503, kind: '503' }, ': OPENROUTER PROCESSING\n\n: keep-alive\n\n') },
  'an error after the role': { kinds: STREAMS, ...inBand(error(503), { status: 503, kind: '503' }, ROLE) },
  'an error by the event\'s name': { kinds: STREAMS, ...inBand(error(503), { status: 503, kind: '503' }, 'event: error\n') },
  'an error that is no JSON': {
    kinds: STREAMS,
    scripts: () => [sse(['event: error\ndata: Overloaded\n\n', stall])],
    attempts: ['200-in_band_error'],
    alone: { status: 502, code: 'upstream_unreachable', outcome: 'in_band_error' },
    abandoned: () => true,
  },
  'an error too long to be kept': {
    kinds: STREAMS,
    scripts: () => [sse([event(error(503, { message: 'x'.repeat(100_000) })), stall])],
    attempts: ['200-in_band_error'],
    alone: { status: 502, code: 'upstream_unreachable', outcome: 'in_band_error' },
    abandoned: () => true,
  },
  'a quota that is used up, inside a 200': inBand(error('insufficient_quota'), { ...CREDENTIALS, body: undefined, outcome: 'in_band_error' }),

  // Answers that broke off.
  'an end right after the head': noAnswer({ headers: EVENTS, chunks: [] }, STREAMS),
  'an end after a comment': noAnswer(sse([': wait\n\n']), STREAMS),
  'an end after the role': noAnswer(sse([ROLE]), STREAMS),
  'an end within an event': noAnswer(sse([ROLE, event(delta('never seen')).slice(0, 40)]), STREAMS),
  'a break right after the head': noAnswer(sse([pause(20), destroy])),
  'a break after the role': noAnswer(sse([ROLE, pause(20), destroy]), STREAMS),
  'a break within an event': noAnswer(sse([ROLE, event(delta('never seen')).slice(0, 40), pause(20), destroy]), STREAMS),
  'a reset after the head': noAnswer(sse([pause(20), reset])),
  'a reset after the role': noAnswer(sse([ROLE, pause(20), reset]), STREAMS),
  'a body that breaks within': noAnswer({ headers: { ...JSON_TYPE, 'content-length': '5000' }, chunks: ['{"choices":[', pause(20), destroy] }),
  'a chunked body that breaks within': noAnswer({ headers: JSON_TYPE, chunks: ['{"choices":[', pause(20), reset] }),

  // Garbage.
  'HTML with status 200': noAnswer({ headers: { 'content-type': 'text/html' }, body: HTML }),
  'HTML that calls itself JSON': noAnswer({ headers: JSON_TYPE, body: HTML }),
  'HTML that calls itself events': noAnswer({ headers: EVENTS, body: HTML }),
  'text of no kind': noAnswer({ body: 'hello' }),
  'bytes of no kind': noAnswer({ headers: { 'content-type': 'application/octet-stream' }, body: Buffer.from(Array.from({ length: 3000 }, (_, at) => (at * 151 + 13) % 256)) }),
  'bytes of no kind that call themselves events': noAnswer({ headers: EVENTS, body: Buffer.from(Array.from({ length: 3000 }, (_, at) => (at * 151 + 13) % 256)) }),
  'JSON that calls itself events': noAnswer({ headers: EVENTS, body: '{"choices":[{"message":{"content":"x"}}]}' }),
  'lines that are no events': noAnswer({ headers: EVENTS, body: 'data\n\n:\n\nfoo: bar\n\ndata: {"choices":\n\ndata: ]\n\n' }, STREAMS),
  'a list': noAnswer({ headers: JSON_TYPE, body: '[]' }),
  'half of an object': noAnswer({ headers: JSON_TYPE, body: '{"choices":[{"message":{"content":"ha' }),
  'an empty body': noAnswer({ headers: JSON_TYPE, body: '' }),

  // Answers that are late.
  'a stall before the head': late(() => [{ headersAfter: stall, body: '' }], 'timeout'),
  'a stall after the head': late(() => [sse([stall])], '200-timeout', STREAMS),
  'a stall after the role': late(() => [sse([ROLE, stall])], '200-timeout', STREAMS),
  'comments for ever': late(() => [sse(Array.from({ length: 200 }, () => [': wait\n\n', pause(20)]).flat())], '200-timeout', STREAMS),
  'a role that drips': late(() => [sse(drip(ROLE.repeat(3), 5))], '200-timeout', STREAMS),
  'a stall within the first event': late(() => [sse([event(delta('never seen')).slice(0, 40), stall])], '200-timeout', STREAMS),
  'a whole body that stalls': late(() => [{ headers: JSON_TYPE, chunks: ['{"choices":[', stall] }], /^(200-)?timeout$/, WHOLE),
  'a whole body that drips': late(() => [{ headers: JSON_TYPE, chunks: drip(JSON.stringify({ choices: [], text: 'x'.repeat(200) }), 5) }], /^(200-)?timeout$/, WHOLE),
  'a 503 whose body stalls': {
    ...late(() => [{ status: 503, headers: { ...JSON_TYPE, 'content-length': '5000' }, chunks: ['{"error":', stall] }], /^(503|503-timeout|timeout)$/),
    alone: undefined,
  },

  // Answers that come to their end well and say nothing, where the route does not want them.
  'an empty stream': {
    kinds: STREAMS,
    scripts: () => [sse([ROLE, event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }), event('[DONE]')])],
    attempts: ['200-empty'],
    settings: { retry_on_empty: true },
  },
  'an empty message': {
    kinds: WHOLE,
    scripts: () => [json({ choices: [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'stop' }] })],
    attempts: ['200-empty'],
    settings: { retry_on_empty: true },
  },
};
