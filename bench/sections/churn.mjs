/** How full the heap gets after a day's worth of mixed overwrites: bench/heap-churn.mjs, as a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** @import { Context, Section } from './context.mjs' */

/** @typedef {{ results: Record<string, Record<string, number | string>> }} ChurnReport by pattern, then by column */

const program = fileURLToPath(new URL('../heap-churn.mjs', import.meta.url));
const TIMEOUT_MS = 5 * 60_000;

/** @param {Context} context */
async function run(context) {
  const args = [program, '--json', ...(context.isQuick ? ['--quick'] : [])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: TIMEOUT_MS });
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error(`heap-churn.mjs ended with ${child.exitCode}`);
  const { results } = /** @type {ChurnReport} */ (JSON.parse(output));
  const patterns = Object.entries(results);
  const columns = Object.keys(patterns[0][1]);
  const lines = [`| pattern | ${columns.join(' | ')} |`, `|---|${columns.map(() => '---:|').join('')}`];
  for (const [name, row] of patterns) lines.push(`| ${name} | ${columns.map((column) => row[column]).join(' | ')} |`);
  const worst = Math.min(...patterns.map(([, row]) => Number(row['entries min %'])));
  if (Number.isFinite(worst)) context.results.numbers['churn.usablePercent'] = worst;
  context.say(`  the worst of ${patterns.length} patterns keeps ${worst} % of the heap usable`);
  context.results.tables.push({ title: 'Heap after churn', text: lines.join('\n') });
}

/** @type {Section} */
export const churn = { id: 'churn', title: 'heap after churn', run };
