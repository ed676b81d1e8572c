// The cases: what is called, how, and how much a call may cost as a multiple of the passthrough's.
//
// `kind` is `plain`, `asked` (a stream whose caller asks for usage: moved natively) or `unasked` (a stream where the gateway asks
// in the caller's stead, and withholds the usage chunk). `rounds` and `calls` are of one contender; a `quick` run has fewer rounds.

const KB = 1024;
const PACE_MS = 5;

export const CPU_CASES = [
  { name: "json-1k", title: "JSON of 1 KB, 16 at once", kind: "plain", bytes: KB, atOnce: 16, calls: 480, rounds: 11, quick: 4, aim: 2.0 },
  { name: "json-1m", title: "request of 1 MB, 4 at once", kind: "plain", bytes: KB * KB, atOnce: 4, calls: 24, rounds: 9, quick: 2, aim: null },
  { name: "native-burst", title: "native stream, burst, 16 at once", kind: "asked", bytes: KB, atOnce: 16, calls: 64, rounds: 9, quick: 3, aim: 1.4 },
  { name: "native-paced", title: `native stream, ${PACE_MS} ms pace, 64 at once`, kind: "asked", bytes: KB, atOnce: 64, calls: 64, paceMs: PACE_MS, rounds: 7, quick: 2, aim: 1.4 },
  { name: "filtered-burst", title: "filtered stream, burst, 16 at once", kind: "unasked", bytes: KB, atOnce: 16, calls: 64, rounds: 9, quick: 3, aim: 4.0 },
  { name: "filtered-paced", title: `filtered stream, ${PACE_MS} ms pace, 64 at once`, kind: "unasked", bytes: KB, atOnce: 64, calls: 64, paceMs: PACE_MS, rounds: 7, quick: 2, aim: 2.5 },
];

/** One call at a time, the contenders taking turns: wall clock from request to first byte. */
export const TTFT_CASE = { name: "ttft", title: "time to first token", kind: "asked", bytes: KB, contentEvents: 8, samples: 400, quick: 60 };

/** From the start of the process to the end of its first answer. */
export const START_CASE = { name: "start", title: "start to first answer", kind: "plain", bytes: KB, samples: 9, quick: 3 };

/**
 * One of two targets dead, one call at a time: what a call that failed over costs beyond a healthy one and the failure by itself, at the
 * median. `dead` is the downstream that fails; each call names another of its models, so that no circuit comes to leave it alone.
 */
export const FAILOVER_CASES = [
  { name: "failover-refused", title: "connections refused", dead: "refused" },
  { name: "failover-reset", title: "connections reset, and opened once more", dead: "reset" },
  { name: "failover-503", title: "503", dead: "down" },
].map((test) => ({ kind: "plain", bytes: KB, calls: 2000, quick: 200, aimMs: 5, ...test }));

export const CASE_NAMES = [...CPU_CASES, TTFT_CASE, START_CASE, ...FAILOVER_CASES].map(({ name }) => name);
