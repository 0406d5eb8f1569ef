/**
 * One client process and one operation after the other kind: awaited one by one, 64 in flight, blocking, in batches of
 * 64; for values of 64 B, 4 KiB and 256 KiB. All peers side by side.
 */
import { mkdirSync } from 'node:fs';

import { availableBytes } from '../machine/facts.mjs';
import { Unavailable } from '../peers/peer.mjs';
import { startRedisBenchmark } from '../peers/redis-benchmark.mjs';
import { compare, runnersOf, startCrews, stopCrews } from './measure.mjs';

/** @import { Kind } from '../peers/peer.mjs' */
/** @import { Mode } from '../workload/plan.mjs' */
/** @import { Context, Section } from './context.mjs' */

/** @typedef {{ section: string, valueBytes: number, keyCount: number, kind: Kind, rounds: number, modes: Mode[] }} Size */

/** name of the work → does it write */
const works = /** @type {const} */ ({ get: 0, set: 1 });

/** @type {Size[]} */
const sizes = [
  {
    section: '64 B',
    valueBytes: 64,
    keyCount: 100_000,
    kind: 'string',
    rounds: 5,
    modes: ['blocking', 'awaited', 'in flight', 'batch', 'into'],
  },
  {
    section: '4 KiB',
    valueBytes: 4096,
    keyCount: 100_000,
    kind: 'string',
    rounds: 3,
    modes: ['blocking', 'awaited', 'in flight', 'batch', 'into'],
  },
  {
    section: '256 KiB',
    valueBytes: 262_144,
    keyCount: 1000,
    kind: 'buffer',
    rounds: 3,
    modes: ['blocking', 'awaited', 'in flight', 'view', 'into'],
  },
];
const QUICK_DIVISOR = 20;
/** Of each value, in all peers and processes together, per peer. */
const COPIES = 2.5;
const REQUESTS_PER_MS = 300;

/** How a mode is called in the tables. @param {string} work @param {Mode} mode */
export function nameOf(work, mode) {
  if (mode === 'view') return 'getView';
  if (mode === 'into') return 'getInto';
  return mode === 'batch' ? `m${work} of 64` : `${work}, ${mode}`;
}

/**
 * @param {Context} context
 * @param {Size} size
 */
async function run(context, { section, valueBytes, keyCount, kind, rounds, modes }) {
  const { isQuick, peers } = context;
  const affordable = Math.floor((0.7 * availableBytes()) / (peers.length * COPIES * (valueBytes + 200)));
  const keys = Math.min(isQuick ? keyCount / QUICK_DIVISOR : keyCount, affordable);
  if (affordable < keyCount && !isQuick) {
    context.results.warnings.push(`${section}: only ${keys} keys, for want of memory`);
  }
  const load = { valueBytes, keyCount: keys };
  const crews = await startCrews(context, peers, { kind, load, clients: 1 });
  const tool = valueBytes === 64 ? await startTool(context, load) : undefined;
  const times = isQuick ? { ms: 30, timedMs: 15 } : { ms: 150, timedMs: 60 };
  try {
    await context.quiet.wait(section, isQuick ? 0 : 20_000);
    for (const mode of modes) {
      for (const [work, writeShare] of Object.entries(works)) {
        if (writeShare === 1 && (mode === 'view' || mode === 'into')) continue;
        const workload = { mode, writeShare, keys: /** @type {const} */ ('uniform'), keyCount: keys, valueBytes, kind };
        const runners = await runnersOf(crews, workload, times);
        if (mode === 'in flight' && tool !== undefined) {
          runners.push(tool.runner(/** @type {'get' | 'set'} */ (work), times.ms * REQUESTS_PER_MS));
        }
        await compare(context, runners, { section, work: nameOf(work, mode), rounds: isQuick ? 2 : rounds });
      }
    }
    context.quiet.conclude(section);
  } finally {
    await stopCrews(crews);
    await tool?.stop();
  }
}

/**
 * @param {Context} context
 * @param {{ keyCount: number, valueBytes: number }} load
 */
async function startTool(context, load) {
  const folder = `${context.folder}/redis-benchmark`;
  mkdirSync(folder, { recursive: true });
  try {
    return await startRedisBenchmark(folder, load);
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    context.results.skipped.push({ peer: 'redis-benchmark', reason: error.message });
    return undefined;
  }
}

/** @type {Section[]} */
export const valueSections = sizes.map((size) => ({
  id: `values-${size.section.replace(' ', '').replace('iB', '').toLowerCase()}`,
  title: `one client, values of ${size.section}`,
  run: async (context) => run(context, size),
}));
