// README's table of passing cells, made of a whole run of the matrix.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../harness.mjs';

const README = join(ROOT, 'README.md');
const START = '<!-- cells: made of the run of tests/workerd/dialects.test.mjs; UPDATE=1 writes it -->\n';
const END = '<!-- /cells -->';
const NAMES = ['openai', 'anthropic', 'openai_responses', 'gemini'];

/**
 * The table, with a row for each client. `cells` are `{client, dialect, passes}`: a cell that is in the table of exceptions
 * does not pass.
 */
export function tableOf(clients, cells) {
  const count = (client, dialect) => {
    const own = cells.filter((cell) => cell.client === client && cell.dialect === dialect);
    return `${own.filter(({ passes }) => passes).length} of ${own.length}`;
  };
  const rows = Object.entries(clients).map(([id, { name, dialect }]) => `| ${name} | \`${dialect}\` | ${NAMES.map((target) => count(id, target)).join(' | ')} |\n`);
  const passing = cells.filter(({ passes }) => passes).length;
  return [
    `| client | speaks | against ${NAMES.map((name) => `\`${name}\``).join(' | ')} |\n|---|---|${'---|'.repeat(NAMES.length)}\n`, ...rows,
    `\n${passing} of ${cells.length} cells pass.\n`,
  ].join('');
}

/** Fails where README has another table; with `UPDATE=1` it is written there instead. */
export function checkTable(table) {
  const readme = readFileSync(README, 'utf8');
  const start = readme.indexOf(START);
  const end = readme.indexOf(END, start);
  assert.ok(start >= 0 && end > start, `README.md has no place for the table: put these lines there:\n${START}${END}`);
  const body = start + START.length;
  if (process.env.UPDATE === '1') writeFileSync(README, readme.slice(0, body) + table + readme.slice(end));
  else assert.equal(readme.slice(body, end), table, 'README\'s table is stale: run this file with UPDATE=1');
}
