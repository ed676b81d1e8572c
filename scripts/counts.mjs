// Reads from what test runners print how many tests passed and failed.

/** Of `cargo test`: the sum over its `test result:` lines, one for each test binary. */
export function cargoCounts(text) {
  const results = [...text.matchAll(/^test result: .*?(\d+) passed; (\d+) failed/gm)];
  return { passed: sum(results.map((found) => found[1])), failed: sum(results.map((found) => found[2])) };
}

/** Of `node --test`: the summary at the end of its TAP report. A cancelled test (a hook failed, time ran out) did not pass. */
export function tapCounts(text) {
  const last = (name) => [...text.matchAll(new RegExp(`^# ${name} (\\d+)$`, "gm"))].at(-1)?.[1] ?? 0;
  return { passed: Number(last("pass")), failed: Number(last("fail")) + Number(last("cancelled")) };
}

/** A step that failed without a failed test (it did not compile, it crashed) counts as one failure. */
export function withExitCode({ passed, failed }, code) {
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed };
}

const sum = (numbers) => numbers.reduce((total, number) => total + Number(number), 0);
