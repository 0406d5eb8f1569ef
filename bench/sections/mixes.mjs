/** Four client processes at once, reads and writes mixed, keys drawn zipfian: the load of a site's worker processes. */
import { compare, runnersOf, startCrews, stopCrews } from './measure.mjs';

/** @import { Mode } from '../workload/plan.mjs' */
/** @import { Context, Section } from './context.mjs' */

export const MIX_CLIENTS = 4;
const ROUNDS = 5;
const VALUE_BYTES = 64;
const KEYS = 100_000;

/** @param {Context} context */
async function run(context) {
  const { isQuick } = context;
  const load = { valueBytes: VALUE_BYTES, keyCount: isQuick ? KEYS / 20 : KEYS };
  // One that shares nothing is among them as the ceiling: what the loops of four processes cost by themselves.
  const crews = await startCrews(context, context.peers, { kind: 'string', load, clients: MIX_CLIENTS });
  const times = { ...(isQuick ? { ms: 40, timedMs: 15 } : { ms: 250, timedMs: 60 }), clients: MIX_CLIENTS };
  try {
    await context.quiet.wait('mixes', isQuick ? 0 : 20_000);
    for (const writeShare of [0.05, 0.5]) {
      const reads = Math.round((1 - writeShare) * 100);
      for (const isPipelined of [false, true]) {
        const workload = {
          writeShare,
          keys: /** @type {const} */ ('zipfian'),
          kind: /** @type {const} */ ('string'),
          ...load,
        };
        const runners = [];
        for (const crew of crews) {
          // One at a time is blocking where the peer can block.
          const oneByOne = /** @type {Mode} */ (crew.modes.has('blocking') ? 'blocking' : 'awaited');
          const mode = isPipelined ? /** @type {const} */ ('in flight') : oneByOne;
          runners.push(...(await runnersOf([crew], { ...workload, mode }, times)));
        }
        const work = `${reads}/${100 - reads}, ${isPipelined ? '64 in flight each' : 'one at a time'}`;
        await compare(context, runners, { section: 'mixes', work, rounds: isQuick ? 2 : ROUNDS });
      }
    }
    context.quiet.conclude('mixes');
  } finally {
    await stopCrews(crews);
  }
}

/** @type {Section} */
export const mixes = { id: 'mixes', title: 'four client processes, 64 B values, zipfian keys', run };
