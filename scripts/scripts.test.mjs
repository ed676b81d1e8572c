// What the scripts decide without starting anything.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cargoCounts, tapCounts, withExitCode } from "./counts.mjs";
import { valueOf, withSecrets } from "./dev_vars.mjs";
import { isInstalled } from "./packages.mjs";

test("a new .dev.vars has both secrets, random each time", () => {
  const text = withSecrets("");
  assert.match(text, /^ADMIN_KEY=tk-[0-9a-f]{40}\nUNIT_HASH_KEY=[0-9a-f]{64}\n$/);
  assert.notEqual(text, withSecrets(""));
});

test("what the developer wrote in .dev.vars is kept", () => {
  for (const kept of ["OPENAI_API_KEY=sk-1", "# mine\nADMIN_KEY=abc\n", "export UNIT_HASH_KEY = 'x y'\r\n"]) {
    const text = withSecrets(kept);
    assert.ok(text.startsWith(kept), text);
    assert.ok(valueOf(text, "ADMIN_KEY") && valueOf(text, "UNIT_HASH_KEY"), text);
    assert.equal(withSecrets(text), text, "a second time changes nothing");
  }
});

test("a secret is read as wrangler reads it", () => {
  const cases = [
    ["ADMIN_KEY=abc", "abc"],
    ['ADMIN_KEY="a b" # why', "a b"],
    ["ADMIN_KEY='a#b'", "a#b"],
    ["  export ADMIN_KEY =  abc # why\r\nX=1", "abc"],
    ["ADMIN_KEY=first\nADMIN_KEY=last", "last"],
    ["ADMIN_KEY=\nX=1", ""],
    ["#ADMIN_KEY=abc\nMY_ADMIN_KEY=abc", undefined],
  ];
  for (const [text, value] of cases) assert.equal(valueOf(text, "ADMIN_KEY"), value, text);
});

test("an empty secret counts as none", () => {
  assert.match(valueOf(withSecrets("ADMIN_KEY=\n"), "ADMIN_KEY"), /^tk-/);
});

test("the results of every test binary of cargo are summed", () => {
  const text = [
    "test says::test_result ... ok",
    "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
    "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
  ].join("\n");
  assert.deepEqual(cargoCounts(text), { passed: 15, failed: 2 });
});

test("the summary of TAP is the last one, and cancelled tests are failures", () => {
  const text = "# pass 99\n1..3\n# tests 6\n# suites 0\n# pass 3\n# fail 1\n# cancelled 2\n# skipped 0\n";
  assert.deepEqual(tapCounts(text), { passed: 3, failed: 3 });
});

test("a step that fails without a failed test counts as one failure", () => {
  assert.deepEqual(withExitCode({ passed: 0, failed: 0 }, 101), { passed: 0, failed: 1 });
  assert.deepEqual(withExitCode({ passed: 5, failed: 2 }, 101), { passed: 5, failed: 2 });
  assert.deepEqual(withExitCode({ passed: 5, failed: 0 }, 0), { passed: 5, failed: 0 });
});

test("packages are installed again only where they differ from the lock file", () => {
  const lock = { "": {}, "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "2.0.0", optional: true } };
  const cases = [
    [{ "node_modules/a": { version: "1.0.0" } }, true],
    [{ "node_modules/a": { version: "1.0.1" } }, false],
    [{ "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "1.9.0" } }, false],
    [{}, false],
  ];
  for (const [installed, expected] of cases) assert.equal(isInstalled(lock, installed), expected, JSON.stringify(installed));
});
