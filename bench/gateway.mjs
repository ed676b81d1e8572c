// One gateway under measurement: a `workerd serve` of its own, with a config written here, and what it used of the CPU.

import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.dirname(HERE);
const WORKERD = path.join(ROOT, "node_modules", "workerd", "bin", "workerd");
export const ADMIN_KEY = "bench-admin-key-0123456789abcdef";

export function workerdVersion() {
  return execFileSync(WORKERD, ["--version"], { encoding: "utf8" }).trim();
}

/** How long a gateway may take until it listens, in milliseconds. */
const START_LIMIT_MS = 20_000;

/** The base URLs of the downstreams that fail, by id. */
export function deadEnds({ port, closedPort }) {
  const origin = `http://127.0.0.1:${port}`;
  return { refused: `http://127.0.0.1:${closedPort}/v1`, reset: `${origin}/reset/v1`, down: `${origin}/down/v1` };
}

/** What is in KV: a router with a CEL route of two variants, the upstream as the downstream of its models, and those that fail. */
function documents(upstream) {
  const variant = (variant_id, model_id, weight) => ({ variant: { variant_id, model_id }, weight });
  const router = {
    name: "routers/bench",
    routes: [
      {
        condition: { cel_expression: 'plan == "pro" && language != "fr"' },
        route: { route_id: "pro", variants: [variant("a", "openai/model-a", 50), variant("b", "openai/model-b", 50)] },
      },
    ],
    default_route: { route_id: "default", variants: [variant("default", "openai/model-default", 100)] },
  };
  const gateway = {
    downstreams: [
      {
        id: "openai",
        name: "Bench upstream",
        base_url: `http://127.0.0.1:${upstream.port}/v1`,
        api_key: "upstream-key",
        api_formats: ["openai"],
        output_model_ids: ["model-a", "model-b", "model-default"],
      },
      ...Object.entries(deadEnds(upstream)).map(([id, base_url]) => ({ id, base_url, api_key: "upstream-key", api_formats: ["openai"], output_model_ids: [] })),
    ],
    rules: [],
  };
  return { "router:bench": JSON.stringify(router), gateway: JSON.stringify(gateway) };
}

/** Date, flags and plain vars as the project deploys them. Reads only the few forms that wrangler.toml has. */
function deploySettings() {
  const settings = { date: "2026-11-01", flags: ["enable_request_signal"], vars: {} };
  const file = path.join(ROOT, "wrangler.toml");
  if (!existsSync(file)) return settings;
  const toml = readFileSync(file, "utf8");
  settings.date = toml.match(/^compatibility_date\s*=\s*"([^"]+)"/m)?.[1] ?? settings.date;
  const flags = toml.match(/^compatibility_flags\s*=\s*\[([^\]]*)\]/m)?.[1];
  if (flags !== undefined) settings.flags = [...flags.matchAll(/"([^"]+)"/g)].map((match) => match[1]);
  const vars = toml.match(/^\[vars\]\n((?:(?!\[).*\n?)*)/m)?.[1] ?? "";
  for (const [, name, value] of vars.matchAll(/^(\w+)\s*=\s*"([^"]*)"/gm)) settings.vars[name] = value;
  return settings;
}

/** The modules of a worker: a single file, or every script and wasm module of a build directory. */
function workerModules(worker) {
  if (statSync(worker).isFile()) return { main: path.basename(worker), files: [path.basename(worker)], from: path.dirname(worker) };
  const files = readdirSync(worker, { recursive: true }).map(String).filter((name) => /\.(m?js|wasm)$/.test(name));
  const main = ["index.js", "worker/shim.mjs"].find((name) => files.includes(name));
  if (main === undefined) throw new Error(`${worker} has no index.js: build the worker first (worker-build --release), or name another with --worker`);
  return { main, files, from: worker };
}

/** Whether it is the project's own worker, of which more is expected: filtered streams, and a record a call. */
export function isOurs(worker) {
  return statSync(worker).isDirectory() && existsSync(path.join(worker, "index_bg.wasm"));
}

const text = JSON.stringify; // Cap'n Proto's string escapes are C's; what is written here needs no others than JSON's.

function capnp({ modules, bindings, settings, kvDocuments }) {
  const binding = ([name, value]) => `(name = ${text(name)}, text = ${text(value)})`;
  const module = (name) => `(name = ${text(name)}, ${name.endsWith(".wasm") ? "wasm" : "esModule"} = embed ${text(name)})`;
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "gateway", worker = (
      modules = [ ${modules.map(module).join(",\n        ")} ],
      compatibilityDate = ${text(settings.date)},
      compatibilityFlags = [ ${settings.flags.map(text).join(", ")} ],
      bindings = [
        (name = "ROUTERS", kvNamespace = "kv"),
        (name = "METRICS", wrapped = (moduleName = "bench:metrics")),
        ${Object.entries(bindings).map(binding).join(",\n        ")} ],
    )),
    (name = "kv", worker = (
      modules = [ (name = "kv.js", esModule = embed "bench-kv.js") ],
      compatibilityDate = ${text(settings.date)},
      bindings = [ (name = "DOCUMENTS", json = ${text(JSON.stringify(kvDocuments))}) ],
    )),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [
    (name = "calls", address = "127.0.0.1:0", http = (), service = "gateway"),
    (name = "records", address = "127.0.0.1:0", http = (), service = (name = "gateway", entrypoint = "records")),
  ],
  extensions = [ (modules = [ (name = "bench:metrics", internal = true, esModule = embed "bench-metrics.js") ]) ],
);
`;
}

/** Lays out config and modules in a directory of their own; answers with the directory, which the caller removes. */
function prepare(worker, upstream) {
  const { main, files, from } = workerModules(worker);
  const directory = mkdtempSync(path.join(tmpdir(), "turnout-bench-"));
  for (const file of files) {
    mkdirSync(path.dirname(path.join(directory, file)), { recursive: true });
    cpSync(path.join(from, file), path.join(directory, file));
  }
  const script = (name) => readFileSync(path.join(HERE, "workers", name), "utf8");
  writeFileSync(path.join(directory, "bench-entry.js"), script("entry.js").replaceAll("WORKER", `./${main}`));
  writeFileSync(path.join(directory, "bench-kv.js"), script("kv.js"));
  writeFileSync(path.join(directory, "bench-metrics.js"), script("metrics.js"));
  const settings = deploySettings();
  const bindings = {
    ...settings.vars,
    ADMIN_KEY,
    UNIT_HASH_KEY: "bench-unit-hash-key",
    UPSTREAM: `http://127.0.0.1:${upstream.port}/v1/chat/completions`,
  };
  const config = capnp({ modules: ["bench-entry.js", ...files], bindings, settings, kvDocuments: documents(upstream) });
  writeFileSync(path.join(directory, "config.capnp"), config);
  return directory;
}

/** A gateway that listens. `pin` is the command prefix that pins it to its core. */
export class Gateway {
  static async start({ name, worker, plainOnly, upstream, pin }) {
    const gateway = new Gateway();
    gateway.name = name;
    gateway.plainOnly = plainOnly;
    gateway.ours = isOurs(worker);
    gateway.directory = prepare(worker, upstream);
    const [command, ...args] = [...pin, WORKERD, "serve", path.join(gateway.directory, "config.capnp"), "--control-fd=3"];
    gateway.startedAt = performance.now();
    gateway.child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "pipe"] });
    try {
      await gateway.#listening();
    } catch (error) {
      gateway.stop();
      throw error;
    }
    gateway.url = `http://127.0.0.1:${gateway.ports.calls}/v1/chat/completions`;
    return gateway;
  }

  #listening() {
    this.ports = {};
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name}: workerd did not listen within ${START_LIMIT_MS} ms`)), START_LIMIT_MS);
      this.child.once("error", (error) => reject(new Error(`${this.name}: workerd did not start: ${error.message}`)));
      this.child.once("exit", (code) => reject(new Error(`${this.name}: workerd ended (code ${code}) before it listened`)));
      let lines = "";
      this.child.stdio[3].on("data", (data) => {
        lines += data;
        for (const line of lines.split("\n").slice(0, -1)) {
          const message = JSON.parse(line);
          if (message.event === "listen") this.ports[message.socket] = message.port;
        }
        lines = lines.slice(lines.lastIndexOf("\n") + 1);
        if (this.ports.calls && this.ports.records) resolve(clearTimeout(timer));
      });
    });
  }

  /** CPU time that the process has used, over all its threads, in microseconds. */
  cpuMicros() {
    const tasks = `/proc/${this.child.pid}/task`;
    let nanos = 0;
    for (const task of readdirSync(tasks)) nanos += Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]);
    return nanos / 1000;
  }

  /** Records written so far. Asked outside of what is measured. */
  async records() {
    return Number(await (await fetch(`http://127.0.0.1:${this.ports.records}/`)).text());
  }

  stop() {
    this.child.removeAllListeners();
    this.child.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }
}
