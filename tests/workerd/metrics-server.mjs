// The service behind the worker's Analytics Engine binding: workerd sends it each data point as JSON.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { decode } from './columns.mjs';

// Limits of Analytics Engine: https://developers.cloudflare.com/analytics/analytics-engine/limits/
const MAX_INDEX_BYTES = 96;
const MAX_BLOBS_BYTES = 16 * 1024;
const COLUMNS = 20;
const RECORD_TIMEOUT_MS = 8_000;

export class MetricsServer {
  #server = createServer((request, response) => this.#serve(request, response));
  #waiting = new Set();
  /** Data points in order of arrival: `{index, blobs, doubles}`. */
  points = [];
  /** The same, decoded. */
  records = [];

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  /** The first record for which `matches` holds, now or soon. */
  find(matches, what) {
    const found = this.records.find(matches);
    if (found) return Promise.resolve(found);
    return new Promise((done, failed) => {
      const waiting = { matches, done };
      this.#waiting.add(waiting);
      waiting.timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        failed(new Error(`no record ${what} was written within ${RECORD_TIMEOUT_MS} ms; there are ${this.records.length}`));
      }, RECORD_TIMEOUT_MS);
    });
  }

  /** The record with this place in the order of arrival, now or soon. */
  at(index) {
    return this.find((record) => this.records.indexOf(record) === index, `number ${index}`);
  }

  /** Law 5: one record a call. */
  checkOneRecordPerCall() {
    const seen = new Set();
    for (const { request_id: id } of this.records) {
      assert.ok(!seen.has(id), `two records were written for the request ${id}`);
      seen.add(id);
    }
  }

  async #serve(request, response) {
    let text = '';
    try {
      for await (const part of request.setEncoding('utf8')) text += part;
    } catch {
      return; // workerd was stopped in the middle of it
    }
    response.end();
    const point = fromEvent(JSON.parse(text));
    checkLimits(point);
    this.points.push(point);
    const record = decode(point);
    this.records.push(record);
    for (const waiting of this.#waiting) {
      if (!waiting.matches(record)) continue;
      clearTimeout(waiting.timer);
      this.#waiting.delete(waiting);
      waiting.done(record);
    }
  }
}

/** workerd writes text as a list of bytes and pads the doubles with zeroes to 20. */
function fromEvent(event) {
  const string = (bytes) => Buffer.from(bytes ?? []).toString('utf8');
  const columns = Array.from({ length: COLUMNS }, (_, at) => at + 1);
  return {
    index: string(event.index1),
    blobs: columns.filter((n) => event[`blob${n}`] !== undefined).map((n) => string(event[`blob${n}`])),
    doubles: columns.map((n) => Number(event[`double${n}`])),
  };
}

function checkLimits({ index, blobs, doubles }) {
  assert.ok(Buffer.byteLength(index) <= MAX_INDEX_BYTES, `the index has more than ${MAX_INDEX_BYTES} bytes: ${index}`);
  assert.ok(Buffer.byteLength(blobs.join('')) <= MAX_BLOBS_BYTES, 'the blobs are too large together');
  assert.ok(doubles.every(Number.isFinite), `a double is no number: ${doubles}`);
}
