/**
 * What physics allows on this machine: two Node processes on a shared mapping, spinning or sleeping; copies; a turn of
 * the event loop. Beside them a whole SET of shm-kvs, with a spinning and with a sleeping server.
 */
import { closeSync } from 'node:fs';

import { native } from '../../dist/native.js';
import { shmKvs } from '../peers/shm-kvs.mjs';
import { median, rowOf } from './context.mjs';
import { compare, runnersOf, startCrew, stopCrews } from './measure.mjs';

/** @import { Context, Section } from './context.mjs' */

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const SEGMENT_BYTES = 64 * MIB;
const COPY_BYTES = 256 * KIB;
const BACK_TO_BACK = 'set, back to back';

/** @param {Context} context */
async function run(context) {
  const { isQuick, results } = context;
  await context.quiet.wait('limits', isQuick ? 0 : 20_000);
  const divisor = isQuick ? 10 : 1;
  const { handOver } = context;
  /** @type {[string, string, number][]} */
  const figures = [
    ['spinUs', 'round trip of two processes, both spinning', handOver.roundTripUs('spin', 300_000 / divisor)],
    [
      'futexUs',
      'round trip of two processes, both sleeping on a futex',
      handOver.roundTripUs('futex', 20_000 / divisor),
    ],
    ['futexPacedUs', 'the same after a pause of 2 ms each', handOver.roundTripUs('paced', 500 / divisor)],
    ['copyUs', 'copy of 256 KiB out of a mapping of 64 MiB', copyOut(2000 / divisor)],
    ['turnUs', 'turn of the event loop by setImmediate', await turn(50_000 / divisor)],
    ...(await wholeSets(context)),
  ];
  for (const [id, name, us] of figures) {
    results.numbers[`limits.${id}`] = us;
    context.say(`  ${name}: ${us.toFixed(2)} µs`);
  }
  const lines = [
    '| physical limits | µs |',
    '|---|---:|',
    ...figures.map(([, name, us]) => `| ${name} | ${us.toFixed(2)} |`),
  ];
  results.tables.push({ title: 'Physical limits, and a whole SET beside them', text: lines.join('\n') });
}

/** @param {Context} context @returns {Promise<[string, string, number][]>} */
async function wholeSets(context) {
  const load = { valueBytes: 64, keyCount: 1000 };
  const crew = await startCrew(context, shmKvs, 'string', load);
  if (crew === undefined) return [];
  await crew.hire(1);
  await crew.fill(0, load.keyCount);
  const workload = /** @type {const} */ ({ writeShare: 1, keys: 'uniform', kind: 'string', ...load });
  const ms = context.isQuick ? 50 : 300;
  const heading = { section: 'limits', rounds: context.isQuick ? 2 : 5 };
  const hot = await runnersOf([crew], { ...workload, mode: 'blocking' }, { ms, timedMs: ms });
  const [spinning] = await compare(context, hot, { ...heading, work: BACK_TO_BACK });
  const cold = await runnersOf([crew], { ...workload, mode: 'paced' }, { ms: 1, timedMs: ms });
  const [sleeping] = await compare(context, cold, { ...heading, work: 'set after a pause' });
  await stopCrews([crew]);
  const meanwhile = context.results.handOvers[rowOf('limits', BACK_TO_BACK)];
  return [
    ['setUs', 'blocking SET of shm-kvs, back to back, mean', 1e6 / spinning.opsPerS],
    [
      'spinMeanwhileUs',
      'round trip of two processes, both spinning, before, between and after the rounds of that',
      median(meanwhile),
    ],
    ['setPacedUs', 'blocking SET of shm-kvs after a pause of 2 ms each, p50', sleeping.p50Us],
  ];
}

/** @param {number} count */
function copyOut(count) {
  const { fd, buffer } = native.createSegment('/dev/shm', SEGMENT_BYTES, 0o600);
  closeSync(fd);
  const pieces = SEGMENT_BYTES / COPY_BYTES;
  const views = Array.from({ length: pieces }, (_, i) => new Uint8Array(buffer, i * COPY_BYTES, COPY_BYTES));
  const target = Buffer.alloc(COPY_BYTES);
  for (const view of views) view.fill(1);
  const times = [];
  for (let i = 0; i < count; i++) {
    const startedAt = performance.now();
    target.set(views[(i * 37) % pieces]);
    times.push((performance.now() - startedAt) * 1000);
  }
  return median(times);
}

/** @param {number} count @returns {Promise<number>} */
async function turn(count) {
  const startedAt = performance.now();
  await new Promise((resolve) => {
    let left = count;
    const next = () => (--left > 0 ? setImmediate(next) : resolve(undefined));
    setImmediate(next);
  });
  return ((performance.now() - startedAt) * 1000) / count;
}

/** @type {Section} */
export const limits = { id: 'limits', title: 'physical limits', run };
