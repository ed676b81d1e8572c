// The columns of a data point, frozen here a second time: stored points are read by position, so a column that moved
// would be noticed by no type and no compiler, only by this table.
import assert from 'node:assert/strict';

const BLOBS = [
  'router', 'revision', 'route', 'variant', 'provider', 'model', 'dialect_in', 'dialect_out', 'outcome', 'status',
  'error_kind', 'country', 'colo', 'unit_hash', 'unit_kind', 'request_id', 'epoch', 'attempts', 'key_id',
  'schema_version',
];

const DOUBLES = [
  'latency_ms', 'ttft_ms', 'input_tokens', 'cache_read_tokens', 'cache_write_tokens', 'output_tokens',
  'reasoning_tokens', 'cost_usd', 'attempt_count', 'overhead_ms', 'ttft_known', 'input_known', 'cache_read_known',
  'cache_write_known', 'output_known', 'reasoning_known', 'cost_known', 'streamed', 'is_error', 'reserved',
];

/** Each double that may be unknown, and the flag that says so. */
const FLAG_OF = {
  ttft_ms: 'ttft_known',
  input_tokens: 'input_known',
  cache_read_tokens: 'cache_read_known',
  cache_write_tokens: 'cache_write_known',
  output_tokens: 'output_known',
  reasoning_tokens: 'reasoning_known',
  cost_usd: 'cost_known',
};

/** A data point as an object by column name, with `index`; a number whose flag says unknown is null. */
export function decode({ index, blobs, doubles }) {
  assert.equal(blobs.length, BLOBS.length, `a point has ${blobs.length} blobs`);
  const record = { index };
  BLOBS.forEach((name, at) => { record[name] = blobs[at]; });
  DOUBLES.forEach((name, at) => { record[name] = doubles[at]; });
  for (const [name, flag] of Object.entries(FLAG_OF)) {
    assert.ok(record[flag] === 0 || record[flag] === 1, `${flag} is ${record[flag]}`);
    if (record[flag] === 1) continue;
    assert.equal(record[name], 0, `${name} is unknown and yet ${record[name]}`);
    record[name] = null;
  }
  return record;
}

/** The tokens of a record, in one object. */
export function tokens(record) {
  return {
    input: record.input_tokens,
    cache_read: record.cache_read_tokens,
    cache_write: record.cache_write_tokens,
    output: record.output_tokens,
    reasoning: record.reasoning_tokens,
  };
}
