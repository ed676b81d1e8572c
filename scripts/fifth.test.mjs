// A fifth dialect is a folder and a line in a table: a copy of the sources gets both, and has to know the dialect throughout.
//
// What is copied lies under target/, so that cargo finds there what it has built of all dependencies. Nothing is fetched.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";

import { inRoot, runQuietly, stop } from "./common.mjs";

const FIXTURE = inRoot("tests/fixtures/fifth");
const COPY = inRoot("target/fifth");
/** Its module, as of every folder, and its line. */
const FOLDER = ["\npub mod gemini;\n", "\npub mod echo5;\npub mod gemini;\n"];
const LINE = ["    Gemini = gemini;\n", "    Gemini = gemini;\n    /// A toy.\n    Echo5 = echo5;\n"];

/** The copy alone is built without optimisation, which takes a third of the time; the dependencies stay as they are. */
const UNOPTIMISED = ["opt-level=0", "debug=false"].flatMap((setting) => ["--config", `profile.dev.package.turnout.${setting}`]);

const cargo = (...args) =>
  runQuietly("cargo", [...args, "--offline", "--locked", "--manifest-path", `${COPY}/Cargo.toml`, ...UNOPTIMISED], {
    env: { CARGO_TARGET_DIR: inRoot("target") },
  });

after(() => stop());

test("a fifth dialect is a folder and a line", async (t) => {
  rmSync(COPY, { recursive: true, force: true });
  mkdirSync(`${COPY}/tests`, { recursive: true });
  for (const name of ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "clippy.toml", ".cargo", "src"]) cpSync(inRoot(name), `${COPY}/${name}`, { recursive: true });
  cpSync(`${FIXTURE}/echo5`, `${COPY}/src/dialect/echo5`, { recursive: true });
  cpSync(`${FIXTURE}/test.rs`, `${COPY}/tests/fifth.rs`);
  let table = readFileSync(`${COPY}/src/dialect.rs`, "utf8");
  for (const [before, with_] of [FOLDER, LINE]) {
    assert.equal(table.split(before).length, 2, `${before} stands once in src/dialect.rs`);
    table = table.replace(before, with_);
  }
  writeFileSync(`${COPY}/src/dialect.rs`, table);
  // Nobody deploys it.
  writeFileSync(`${COPY}/Cargo.toml`, readFileSync(`${COPY}/Cargo.toml`, "utf8").replace('crate-type = ["cdylib", "rlib"]', 'crate-type = ["rlib"]'));

  await t.test("it compiles for Workers", async () => {
    assert.equal(await cargo("check", "--lib", "--target", "wasm32-unknown-unknown"), 0);
  });
  await t.test("it is known throughout", async () => {
    assert.equal(await cargo("test", "--test", "fifth"), 0);
  });
  rmSync(COPY, { recursive: true, force: true });
});
