// The side-by-side benchmark: `node bench/run.mjs [--quick] [--case NAME]… [--worker FILE|DIR]… [--against DIR] [--json FILE]`.
//
// Measures CPU time per call of a gateway's process, as a multiple of a five-line passthrough worker's (workers/passthrough.js). Each
// contender is a plain `workerd serve` pinned to one core; upstream and load generator are processes on another. Contenders take turns
// round by round, so that noise meets all alike. Every answer is compared with what the upstream sent; a paced stream must arrive as it
// was sent; a gateway of ours must have written a record a call and asked for usage where the case says so. Anything else ends the run.
// Without --worker: the built worker (build/) and workers/pick.js. With --against: a build of before takes part, and a table compares the
// first worker with it. Linux only (/proc). Not measured: `wrangler dev`, which costs far more.

import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { CASE_NAMES, CPU_CASES, FAILOVER_CASES, START_CASE, TTFT_CASE } from "./cases.mjs";
import { streamEvents } from "./chat.mjs";
import { ADMIN_KEY, Gateway, deadEnds, workerdVersion } from "./gateway.mjs";
import { againstTable, clockTable, compare, cpuTable, failoverTable, median, quantile } from "./report.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const BASELINE = { name: "passthrough", worker: path.join(HERE, "workers", "passthrough.js") };
/** Tells what a failure costs by itself. */
const FETCHER = { name: "fetch", worker: path.join(HERE, "workers", "fetch.js") };
const BEFORE = "before";
const MODEL = "turnout/bench";
/** After a round, until what calls left behind (records, polls of a quarter of a second) is done and counted. */
const SETTLE_MS = { plain: 60, stream: 350 };
/** How long records may still come in after that. */
const RECORDS_LIMIT_MS = 3_000;

/** Before each lone call, so that what the call before left behind is not in its way. */
const LONE_PAUSE_MS = 10;
const LONE_WARM_UP = 20;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function fail(sentence) {
  throw new Error(sentence);
}

/** The command prefixes that pin the gateway to one core and everything else to another. */
function pins() {
  const cores = os.availableParallelism();
  if (cores < 2) return { gateway: [], others: [], note: "one core: nothing is pinned, figures are rough" };
  return { gateway: ["taskset", "-c", String(0)], others: ["taskset", "-c", `1-${cores - 1}`], note: `gateway on core 0, upstream and load on ${cores > 2 ? `cores 1 to ${cores - 1}` : "core 1"}` };
}

/** A Node process of ours that answers one message at a time. */
class Helper {
  constructor(file, pin) {
    const [command, ...args] = [...pin, process.execPath, path.join(HERE, file)];
    this.child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.child.once("exit", () => this.reject?.(new Error(`${file} ended`)));
    this.child.on("message", (message) => this.resolve(message));
  }
  next() {
    return new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
  }
  ask(message) {
    const answer = this.next();
    this.child.send(message);
    return answer;
  }
  stop() {
    this.child.removeAllListeners();
    this.child.kill();
  }
}

/** What a run has at hand. */
class Bench {
  constructor(options) {
    Object.assign(this, options);
    this.pins = pins();
    this.loadAtStart = os.loadavg()[0];
    this.gateways = [];
  }

  async open() {
    this.upstream = new Helper("upstream.mjs", this.pins.others);
    this.ports = await this.upstream.next();
    this.load = new Helper("load.mjs", this.pins.others);
    for (const contender of [BASELINE, ...this.contenders]) this.gateways.push(await this.start(contender));
  }

  /** Who takes part in a case: the baseline first. The hand-written worker does nothing of its own with streams. */
  contendersOf(test) {
    return this.gateways.filter((gateway) => !gateway.plainOnly || test.kind === "plain");
  }

  start(contender) {
    return Gateway.start({ ...contender, upstream: this.ports, pin: this.pins.gateway });
  }

  close() {
    for (const part of [...this.gateways, this.upstream, this.load]) part?.stop();
  }

  /** Tells the upstream how to send, and answers with what it counted until now. */
  async setUpstream(manner) {
    return (await this.upstream.ask({ set: manner })).counts;
  }

  /** Has the load generator do something to one gateway; a fault ends the run, with the gateway's name. */
  async drive(gateway, command, parameters) {
    const answer = await this.load.ask({ [command]: { url: gateway.url, key: ADMIN_KEY, model: MODEL, ...parameters } });
    return answer.result ?? fail(`${gateway.name}: ${answer.fault}`);
  }

  /** Each gateway lets every event through before the next is sent, on both paths. */
  async checkLockstep() {
    const contentEvents = 12;
    for (const gateway of this.gateways) {
      for (const kind of ["asked", "unasked"]) {
        await this.setUpstream({ mode: "lockstep", contentEvents });
        const upstream = `http://127.0.0.1:${this.ports.port}`;
        await this.drive(gateway, "lockstep", { kind, upstream, contentEvents }).catch((error) => fail(`event by event (${kind}): ${error.message}`));
      }
    }
  }

  /** One round of one gateway: CPU in µs a call, and the path that its streams took. */
  async round(gateway, test, calls) {
    const stream = test.kind !== "plain";
    await this.setUpstream(test.paceMs ? { mode: "paced", paceMs: test.paceMs } : { mode: "burst" });
    const records = gateway.ours ? await gateway.records() : 0;
    const pace = test.paceMs ? { paceMs: test.paceMs, events: streamEvents(test.kind === "asked").length } : null;
    const before = gateway.cpuMicros();
    const { paths, elapsedMs } = await this.drive(gateway, "round", { calls, atOnce: test.atOnce, kind: test.kind, bytes: test.bytes, pace });
    await sleep(stream ? SETTLE_MS.stream : SETTLE_MS.plain);
    const micros = (gateway.cpuMicros() - before) / calls;
    await this.checkCounts(gateway, test, calls, records);
    return { micros, path: paths.join(" and "), elapsedMs };
  }

  /** The upstream got every call, whole; ours asked it for usage, and wrote a record a call. */
  async checkCounts(gateway, test, calls, recordsBefore) {
    const counts = await this.setUpstream(null);
    if (counts.calls !== calls) fail(`${gateway.name}, ${test.name}: ${calls} calls became ${counts.calls} upstream`);
    if (counts.bodyBytes < 0.9 * calls * test.bytes) fail(`${gateway.name}, ${test.name}: bodies lost bytes on the way (${counts.bodyBytes} of ${calls * test.bytes})`);
    if (!gateway.ours) return;
    if (test.kind === "unasked" && counts.askedForUsage !== calls) fail(`${gateway.name}, ${test.name}: usage was asked for in ${counts.askedForUsage} of ${calls} calls`);
    const until = performance.now() + RECORDS_LIMIT_MS;
    let records = 0;
    while ((records = (await gateway.records()) - recordsBefore) !== calls) {
      if (performance.now() > until) fail(`${gateway.name}, ${test.name}: ${calls} calls gave ${records} records`);
      await sleep(50);
    }
  }

  async cpuCase(test) {
    const gateways = this.contendersOf(test);
    const micros = new Map(gateways.map((gateway) => [gateway, []]));
    const last = new Map();
    for (const gateway of gateways) await this.round(gateway, test, test.paceMs ? test.calls / 2 : test.calls); // warms up, unmeasured
    for (let round = 0; round < (this.quick ? test.quick : test.rounds); round += 1) {
      // Every other round backwards, so that no contender always comes after the same one.
      for (const gateway of round % 2 ? gateways.toReversed() : gateways) {
        const result = await this.round(gateway, test, test.calls);
        micros.get(gateway).push(result.micros);
        last.set(gateway, result);
      }
    }
    const [baseline, ...others] = gateways;
    return others.map((gateway) => ({
      case: test.name, title: test.title, aim: gateway.ours ? test.aim : null, worker: gateway.name, path: last.get(gateway).path,
      ...compare(micros.get(baseline), micros.get(gateway)), rounds: micros.get(gateway),
    }));
  }

  async ttftCase(test) {
    const gateways = this.contendersOf(test);
    const times = new Map(gateways.map(({ name }) => [name, []]));
    await this.setUpstream({ mode: "burst", contentEvents: test.contentEvents });
    for (let sample = -LONE_WARM_UP; sample < (this.quick ? test.quick : test.samples); sample += 1) {
      for (const gateway of gateways) {
        await sleep(LONE_PAUSE_MS);
        const { ttftMs } = await this.drive(gateway, "single", test);
        if (sample >= 0) times.get(gateway.name).push(ttftMs);
      }
    }
    return clockResults(test, times);
  }

  /** Only of gateways that fail over. */
  async failoverCase(test) {
    const fetcher = await this.start(FETCHER);
    try {
      return await this.failoverResults(test, fetcher.url);
    } finally {
      fetcher.stop();
    }
  }

  async failoverResults(test, fetcher) {
    const results = [];
    const calls = this.quick ? test.quick : test.calls;
    for (const gateway of this.gateways.filter(({ ours, name }) => ours && name !== BEFORE)) {
      await this.setUpstream({ mode: "burst" });
      const deadEnd = deadEnds(this.ports)[test.dead];
      const measured = await this.drive(gateway, "failover", { ...test, calls, deadEnd, fetcher });
      const counts = await this.setUpstream(null);
      if (test.dead !== "refused" && counts.failures < 2 * calls) fail(`${gateway.name}, ${test.name}: the dead target was called ${counts.failures} times in ${2 * calls} calls`);
      const [healthyMs, failedOverMs] = [measured.healthyMs, measured.failedOverMs].map(median);
      const aloneMs = median(measured.withMs) - median(measured.withoutMs);
      const failures = measured.failures / measured.succeeded;
      results.push({
        case: test.name, title: test.title, worker: gateway.name, calls, succeeded: measured.succeeded, aimMs: test.aimMs,
        healthyMs, failedOverMs, failures, aloneMs, addedMs: failedOverMs - healthyMs - failures * aloneMs,
      });
    }
    return results;
  }

  async startCase(test) {
    const times = new Map([BASELINE, ...this.contenders].map(({ name }) => [name, []]));
    await this.setUpstream({ mode: "burst" });
    for (let sample = 0; sample < (this.quick ? test.quick : test.samples); sample += 1) {
      for (const contender of [BASELINE, ...this.contenders]) {
        const gateway = await this.start(contender);
        try {
          await this.drive(gateway, "single", test);
          times.get(contender.name).push(performance.now() - gateway.startedAt);
        } finally {
          gateway.stop();
        }
      }
    }
    return clockResults(test, times);
  }
}

/** `times` by name, the baseline first. */
function clockResults(test, times) {
  const baseline = median(times.get(BASELINE.name));
  return [...times].map(([worker, samples]) => ({
    case: test.name, title: test.title, worker, medianMs: median(samples), addedMs: worker === BASELINE.name ? null : median(samples) - baseline,
    // Of few samples the last percentile is only the worst one.
    p99Ms: samples.length < 50 ? null : quantile(samples, 0.99),
  }));
}

function options() {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      case: { type: "string", multiple: true, default: [] },
      worker: { type: "string", multiple: true, default: [] },
      against: { type: "string" },
      json: { type: "string" },
    },
  });
  for (const name of values.case) {
    if (!CASE_NAMES.some((known) => known.startsWith(name))) fail(`no case is named ${name}: there are ${CASE_NAMES.join(", ")}`);
  }
  const built = path.join(HERE, "..", "build");
  const byHand = path.join(HERE, "workers", "pick.js");
  const workers = values.worker.length > 0 ? values.worker : [built, byHand];
  const before = values.against === undefined ? [] : [values.against];
  for (const worker of [...workers, ...before]) {
    if (!existsSync(worker)) fail(`there is no worker at ${worker}: build it first (worker-build --release), or name another with --worker`);
  }
  const contenders = workers.map((worker) => ({
    name: path.resolve(worker) === path.resolve(built) ? "turnout" : path.basename(worker, ".js"),
    worker: path.resolve(worker),
    plainOnly: worker === byHand,
  }));
  contenders.push(...before.map((worker) => ({ name: BEFORE, worker: path.resolve(worker), plainOnly: false })));
  return { ...values, contenders };
}

async function run() {
  if (process.platform !== "linux") fail("the bench reads CPU time from /proc and needs Linux");
  const bench = new Bench(options());
  const wanted = ({ name }) => bench.case.length === 0 || bench.case.some((prefix) => name.startsWith(prefix));
  const cpu = [];
  const clock = [];
  const failover = [];
  const say = (title) => process.stderr.write(`${title} …\n`);
  try {
    await bench.open();
    if (bench.loadAtStart > 1) say("This machine is busy: passthroughs gather chunks then, which others cannot, so ratios of streams come out too high. To be taken with care");
    say("every event passes before the next is sent");
    await bench.checkLockstep();
    for (const test of CPU_CASES.filter(wanted)) {
      say(test.title);
      cpu.push(...(await bench.cpuCase(test)));
    }
    if (wanted(TTFT_CASE)) say(TTFT_CASE.title), clock.push(...(await bench.ttftCase(TTFT_CASE)));
    if (wanted(START_CASE)) say(START_CASE.title), clock.push(...(await bench.startCase(START_CASE)));
    for (const test of FAILOVER_CASES.filter(wanted)) {
      say(`one of two targets dead: ${test.title}`);
      failover.push(...(await bench.failoverCase(test)));
    }
  } finally {
    bench.close();
  }
  print(bench, { cpu, against: against(cpu, bench.contenders[0].name), clock, failover });
}

/** The figures of one worker over those of the build before, where that takes part. */
function against(cpu, name) {
  return cpu.filter(({ worker }) => worker === name).flatMap(({ case: test, title, rounds }) => {
    const before = cpu.find((result) => result.case === test && result.worker === BEFORE);
    return before ? [{ case: test, title, ...compare(before.rounds, rounds) }] : [];
  });
}

function print(bench, { cpu, against, clock, failover }) {
  const machine = `${os.cpus()[0].model.trim()}, ${os.availableParallelism()} cores (${bench.pins.note}); ${workerdVersion()}, Node ${process.versions.node}; ${bench.quick ? "quick" : "full"} run, load ${bench.loadAtStart.toFixed(1)} at its start`;
  process.stdout.write(`${[cpu.length && cpuTable(cpu), against.length && againstTable(against), clock.length && clockTable(clock), failover.length && failoverTable(failover), machine].filter(Boolean).join("\n\n")}\n`);
  if (bench.json) writeFileSync(bench.json, `${JSON.stringify({ machine, cpu, against, clock, failover }, null, 1)}\n`);
}

run().catch((error) => {
  process.stderr.write(`bench: ${error.message}\n`);
  process.exitCode = 1;
});
