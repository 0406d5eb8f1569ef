/** What a lookup costs as the store grows from 1,000 to 5,000,000 keys; drawn uniformly from all of them. */
import { statfsSync } from 'node:fs';

import { shmKvs } from '../peers/shm-kvs.mjs';
import { compare, runnersOf, startCrew, stopCrews } from './measure.mjs';

/** @import { Context, Section } from './context.mjs' */

const GIB = 2 ** 30;
const COUNTS = [1000, 10_000, 100_000, 1_000_000, 5_000_000];
const ROUNDS = 5;

/** @param {Context} context */
async function run(context) {
  const { isQuick, results } = context;
  const counts = isQuick ? COUNTS.slice(0, 3) : COUNTS;
  const memoryBytes = isQuick ? GIB / 8 : 2 * GIB;
  const { bavail, bsize } = statfsSync('/dev/shm');
  if (bavail * bsize < memoryBytes * 1.1) {
    results.warnings.push('lookup: skipped, /dev/shm has less than 2.2 GiB free');
    return;
  }
  const load = { valueBytes: 64, keyCount: Math.max(...counts), memoryBytes };
  const crew = await startCrew(context, shmKvs, 'string', load);
  if (crew === undefined) return;
  await crew.hire(1);
  await context.quiet.wait('lookup', isQuick ? 0 : 20_000);
  const lines = ['| keys | gets/s | mean µs | p50 µs | p99 µs | CPU µs per get |', '|---:|---:|---:|---:|---:|---:|'];
  let filled = 0;
  for (const keyCount of counts) {
    await crew.fill(filled, keyCount);
    filled = keyCount;
    const workload = /** @type {const} */ ({
      mode: 'blocking',
      writeShare: 0,
      keys: 'uniform',
      keyCount,
      valueBytes: 64,
      kind: 'string',
    });
    const runners = await runnersOf([crew], workload, isQuick ? { ms: 30, timedMs: 10 } : { ms: 300, timedMs: 100 });
    const heading = {
      section: 'lookup',
      work: `get of ${keyCount.toLocaleString('en')} keys`,
      rounds: isQuick ? 1 : ROUNDS,
    };
    const [cell] = await compare(context, runners, heading);
    results.numbers[`lookup.${keyCount}.meanUs`] = 1e6 / cell.opsPerS;
    const figures = [1e6 / cell.opsPerS, cell.p50Us, cell.p99Us, cell.cpuMicrosPerOp].map((us) => us.toFixed(2));
    const count = keyCount.toLocaleString('en');
    lines.push(`| ${count} | ${Math.round(cell.opsPerS).toLocaleString('en')} | ${figures.join(' | ')} |`);
  }
  context.quiet.conclude('lookup');
  await stopCrews([crew]);
  results.tables.push({ title: 'Lookup cost by number of keys (blocking get, 64 B values)', text: lines.join('\n') });
}

/** @type {Section} */
export const lookup = { id: 'lookup', title: 'lookup cost by number of keys', run };
