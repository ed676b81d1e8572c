// Figures to a table. Medians of rounds; a ratio is taken within a round, so that what disturbed the machine disturbed both.

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Per round CPU of both, in µs a call, to the figures of one line. */
export function compare(baseline, contender) {
  const ratios = contender.map((micros, round) => micros / baseline[round]);
  return {
    baselineMicros: median(baseline),
    micros: median(contender),
    ratio: median(ratios),
    ratioLow: Math.min(...ratios),
    ratioHigh: Math.max(...ratios),
  };
}

function row(cells) {
  return `| ${cells.join(" | ")} |`;
}

export function cpuTable(results) {
  const lines = [
    row(["case", "worker", "CPU per call, passthrough", "CPU per call", "ratio (spread of rounds)", "aim", ""]),
    row(["---", "---", "--:", "--:", "--:", "--:", "---"]),
  ];
  for (const { title, worker, path, aim, baselineMicros, micros, ratio, ratioLow, ratioHigh } of results) {
    const spread = `**${ratio.toFixed(2)}** (${ratioLow.toFixed(2)} – ${ratioHigh.toFixed(2)})`;
    const judged = aim === null ? ["", ""] : [`≤ ${aim.toFixed(1)}`, ratio <= aim ? "met" : "MISSED"];
    const cells = [title, path === "plain" ? worker : `${worker}, ${path}`, `${baselineMicros.toFixed(0)} µs`, `${micros.toFixed(0)} µs`, spread];
    lines.push(row([...cells, ...judged]));
  }
  return lines.join("\n");
}

/** Two builds of the gateway, round by round. */
export function againstTable(results) {
  const lines = [row(["case", "before, CPU per call", "now", "now to before (spread of rounds)"]), row(["---", "--:", "--:", "--:"])];
  for (const { title, baselineMicros, micros, ratio, ratioLow, ratioHigh } of results) {
    lines.push(row([title, `${baselineMicros.toFixed(0)} µs`, `${micros.toFixed(0)} µs`, `**${ratio.toFixed(2)}** (${ratioLow.toFixed(2)} – ${ratioHigh.toFixed(2)})`]));
  }
  return lines.join("\n");
}

export function failoverTable(results) {
  const lines = [
    row(["one of two targets dead", "worker", "answered", "healthy call", "failed over", "the failure by itself", "added beyond it", "aim", ""]),
    row(["---", "---", "--:", "--:", "--:", "--:", "--:", "--:", "---"]),
  ];
  const ms = (value) => `${value.toFixed(2)} ms`;
  for (const { title, worker, succeeded, calls, healthyMs, failedOverMs, failures, aloneMs, addedMs, aimMs } of results) {
    const met = succeeded === calls && addedMs <= aimMs;
    lines.push(row([title, worker, `${succeeded} of ${calls}`, ms(healthyMs), ms(failedOverMs), `${failures.toFixed(1)} × ${ms(aloneMs)}`, `**${ms(addedMs)}**`, `≤ ${ms(aimMs)}`, met ? "met" : "MISSED"]));
  }
  return lines.join("\n");
}

export function clockTable(results) {
  const lines = [row(["wall clock (noise on a shared machine)", "worker", "median", "added at the median", "p99"]), row(["---", "---", "--:", "--:", "--:"])];
  for (const { title, worker, medianMs, addedMs, p99Ms } of results) {
    lines.push(row([title, worker, `${medianMs.toFixed(2)} ms`, addedMs === null ? "" : `${addedMs.toFixed(2)} ms`, p99Ms === null ? "" : `${p99Ms.toFixed(2)} ms`]));
  }
  return lines.join("\n");
}
