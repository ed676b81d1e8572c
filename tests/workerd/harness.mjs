// Runs the built worker in a real workerd, without anything between it and the test.
//
// In scope: workerd's process, the bindings, and the two services behind them, KV and Analytics Engine, which live in
// the test's own process: a test sees every read, holds it back or fails it, and both outlive a restart of workerd.
// The bindings themselves are workerd's own (`kvNamespace`, `analyticsEngine`), so that the worker meets the real types.
// Out of scope: what an upstream says (`upstream.mjs`), how a caller calls (`client.mjs`), the columns (`columns.mjs`).
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { test as nodeTest } from 'node:test';
import { fileURLToPath } from 'node:url';
import { KvServer } from './kv-server.mjs';
import { MetricsServer } from './metrics-server.mjs';

const require = createRequire(import.meta.url);
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** The credential that every worker here has unless a test takes it away. */
export const ADMIN_KEY = 'admin-key-of-the-tests-0123456789';
/** The secret under which unit hashes are made here. */
export const UNIT_HASH_KEY = 'test-key';
/** The header in which a test says what `request.cf` is to be: workerd takes it off the request. */
export const CF_HEADER = 'x-test-cf';

const START_TIMEOUT_MS = 30_000;
const TEST_TIMEOUT_MS = 40_000;

/** Stands in for Cloudflare's rate limits, which workerd itself has not: the binding's one function, without its clock. */
const RATE_LIMIT = `
const counts = new Map();
export default (env) => ({
  async limit({ key, ...rest }) {
    if (typeof key !== "string" || Object.keys(rest).length > 0) throw new TypeError("limit takes a key");
    if (env.calls === null) throw new Error("the limiter is not well today");
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return { success: count <= env.calls };
  },
});
`;

/** `node:test`'s, with a limit: what waits for an event that never comes fails, and the tests after it go on. */
export function test(name, body) {
  return nodeTest(name, { timeout: TEST_TIMEOUT_MS }, body);
}

/**
 * Starts a worker.
 *
 * `vars` are text bindings over the defaults; `undefined` leaves one out. `kv` is what the namespace holds at the
 * start, `{key: value}`; an object is written as JSON. `limits` are rate limit bindings, `{name: calls}`: so many calls of
 * a key pass, ever; null is a binding that fails. `control` false leaves the Durable Object unbound.
 */
export async function startWorker({ vars = {}, kv = {}, limits = {}, control = true } = {}) {
  const worker = new Worker({
    ADMIN_KEY,
    UNIT_HASH_KEY,
    CONFIG_TTL_SECONDS: '1',
    ...vars,
  }, { limits, control });
  await worker.start(kv);
  return worker;
}

/** Starts a worker and hands it to the test's `after`, so that it is stopped however the test ends. */
export async function workerFor(test, options) {
  const worker = await startWorker(options);
  test.after(() => worker.stop());
  return worker;
}

/** The processes that run; none outlives this one, however it ends. */
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

class Worker {
  #vars;
  #limits;
  #control;
  #process;
  #exited;
  #directory = mkdtempSync(join(tmpdir(), 'turnout-workerd-'));
  #log = '';
  #metrics = new MetricsServer();
  /** The namespace behind `ROUTERS`: contents, calls seen, faults. */
  kv = new KvServer();
  /** Where the worker listens, without a slash at the end; another one after each restart. */
  url;

  constructor(vars, { limits, control }) {
    this.#vars = vars;
    this.#limits = limits;
    this.#control = control;
  }

  async start(contents) {
    await Promise.all([this.kv.listen(), this.#metrics.listen()]);
    for (const [key, value] of Object.entries(contents)) this.kv.put(key, value);
    mkdirSync(join(this.#directory, 'objects'));
    writeFileSync(join(this.#directory, 'config.capnp'), this.#config());
    await this.#spawn();
  }

  /** A new process with the same bindings: no isolate survives, KV and the Durable Objects' databases do. `vars` replace earlier ones. */
  async restart({ vars = {} } = {}) {
    Object.assign(this.#vars, vars);
    writeFileSync(join(this.#directory, 'config.capnp'), this.#config());
    await this.#kill();
    await this.#spawn();
  }

  /** Ends everything, and throws where workerd told of a crash, or a call left other than one record. */
  async stop() {
    await this.#kill();
    await Promise.all([this.kv.close(), this.#metrics.close()]);
    rmSync(this.#directory, { recursive: true, force: true });
    const fault = /panicked at|unreachable|code had hung|uncaught exception|Cannot perform I\/O on behalf of a different/i.exec(this.#log);
    if (fault) throw new Error(`workerd's log tells of a fault (${fault[0]}):\n${this.#log}`);
    this.#metrics.checkOneRecordPerCall();
  }

  /** The process id of workerd, another one after each restart. */
  get pid() {
    return this.#process.pid;
  }

  /** Everything that workerd and the worker have printed so far. */
  log() {
    return this.#log;
  }

  /** The record of the call that gave `response`, once it is written; `response` is anything with `headers`. */
  record(response) {
    const id = typeof response.headers.get === 'function'
      ? response.headers.get('x-turnout-request-id')
      : response.headers['x-turnout-request-id'];
    if (!id) throw new Error('the response has no x-turnout-request-id, so its record cannot be found');
    return this.#metrics.find((record) => record.request_id === id, `of request ${id}`);
  }

  /** The record with this place in the order of writing, from 0; for calls whose response never came. */
  recordNumber(index) {
    return this.#metrics.at(index);
  }

  /** The records of a router's calls so far. */
  recordsOf(router) {
    return this.#metrics.records.filter((record) => record.router === router);
  }

  /** The first record of a router's calls, now or soon; for calls whose response never came. */
  recordOf(router) {
    return this.#metrics.find((record) => record.router === router, `of router ${router}`);
  }

  /** The data points so far, as they were written. */
  points() {
    return this.#metrics.points;
  }

  async #spawn() {
    const binary = workerdBinary();
    const child = spawn(binary, ['serve', '--experimental', '--control-fd=3', 'config.capnp'], {
      cwd: this.#directory,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    this.#process = child;
    running.add(child);
    this.#exited = new Promise((done) => child.once('exit', done)).finally(() => running.delete(child));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#log += text;
        if (process.env.SHOW_WORKERD) process.stderr.write(text);
      });
    }
    const port = await new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`workerd did not start:\n${this.#log}`)), START_TIMEOUT_MS);
      let text = '';
      child.stdio[3].setEncoding('utf8').on('data', (part) => {
        text += part;
        const line = text.split('\n').find((each) => each.includes('"listen"') && each.endsWith('}'));
        if (!line) return;
        clearTimeout(timer);
        done(JSON.parse(line).port);
      });
      this.#exited.then((code) => {
        clearTimeout(timer);
        failed(new Error(`workerd ended with ${code}:\n${this.#log}`));
      });
    });
    this.url = `http://127.0.0.1:${port}`;
  }

  async #kill() {
    this.#process?.kill('SIGKILL');
    await this.#exited;
  }

  #config() {
    const { main, date, flags } = workerManifest();
    const modules = modulesFrom(main).map(({ name, path }) => {
      const kind = path.endsWith('.wasm') ? 'wasm' : 'esModule';
      return `(name = ${text(name)}, ${kind} = embed ${text(relative(this.#directory, path))})`;
    });
    const bindings = Object.entries(this.#vars)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `(name = ${text(name)}, text = ${text(String(value))})`);
    const limits = Object.entries(this.#limits).map(([name, calls]) => (
      `(name = ${text(name)}, wrapped = (moduleName = "test:rate-limit", innerBindings = [(name = "calls", json = ${text(JSON.stringify(calls))})]))`
    ));
    return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "kv", external = (address = "127.0.0.1:${this.kv.port}", http = ())),
    (name = "metrics", external = (address = "127.0.0.1:${this.#metrics.port}", http = ())),
    (name = "internet", network = (allow = ["public", "private"])),
    (name = "objects", disk = (path = "objects", writable = true)),
  ],
  extensions = [(modules = [(name = "test:rate-limit", internal = true, esModule = ${text(RATE_LIMIT)})])],
  sockets = [(name = "http", address = "127.0.0.1:0", service = "main", http = (cfBlobHeader = ${text(CF_HEADER)}))],
);
const main :Workerd.Worker = (
  modules = [${modules.join(',\n    ')}],
  compatibilityDate = ${text(date)},
  compatibilityFlags = [${flags.map(text).join(', ')}],
  bindings = [
    (name = "ROUTERS", kvNamespace = "kv"),
    (name = "METRICS", analyticsEngine = "metrics"),
    ${this.#control ? '(name = "CONTROL", durableObjectNamespace = "Control"),' : ''}
    ${[...bindings, ...limits].join(',\n    ')}
  ],
  durableObjectNamespaces = [(className = "Control", uniqueKey = "turnout-control", enableSql = true)],
  durableObjectStorage = (localDisk = "objects"),
);
`;
  }
}

/** What `wrangler.toml` says of the worker; `TURNOUT_WORKER` names another main module. */
function workerManifest() {
  const path = join(ROOT, 'wrangler.toml');
  const toml = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const field = (name) => new RegExp(`^${name}\\s*=\\s*(.+)$`, 'm').exec(toml)?.[1].trim();
  const main = process.env.TURNOUT_WORKER ?? JSON.parse(field('main') ?? '"build/index.js"');
  return {
    main: resolve(ROOT, main),
    date: JSON.parse(field('compatibility_date') ?? '"2026-11-01"'),
    flags: JSON.parse((field('compatibility_flags') ?? '["enable_request_signal"]').replaceAll("'", '"')),
  };
}

/** The main module and whatever it imports by relative path, named relative to the main module's folder. */
function modulesFrom(main) {
  if (!existsSync(main)) throw new Error(`${relative(ROOT, main)} is not there: run \`node scripts/build.mjs\` first.`);
  const folder = dirname(main);
  const found = new Map();
  const visit = (path) => {
    const name = relative(folder, path);
    if (found.has(name)) return;
    found.set(name, path);
    if (path.endsWith('.wasm')) return;
    const source = readFileSync(path, 'utf8');
    for (const [, specifier] of source.matchAll(/(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g)) {
      const imported = resolve(dirname(path), specifier);
      if (existsSync(imported)) visit(imported);
    }
  };
  visit(main);
  return [...found].map(([name, path]) => ({ name, path }));
}

/** The native binary itself: the npm wrapper is a Node.js process whose death would leave workerd behind. */
function workerdBinary() {
  const name = `@cloudflare/workerd-${process.platform}-${process.arch === 'x64' ? '64' : process.arch}`;
  const entry = require.resolve('workerd');
  return createRequire(entry).resolve(`${name}/bin/workerd${process.platform === 'win32' ? '.exe' : ''}`);
}

/** A Cap'n Proto string literal; JSON's escapes are close enough but for those beyond ASCII, which stay as they are. */
function text(value) {
  return `"${value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}"`;
}
