/** When a cache of decoded values pays: blocking calls of one client, and of four, with caches of several sizes. */
import { cachingPeers } from '../peers/caching.mjs';
import { compare, runnersOf, startCrews, stopCrews } from './measure.mjs';

/** @import { Context, Section } from './context.mjs' */

const ROUNDS = 5;
const MOST_CLIENTS = 4;
const VALUE_BYTES = 64;
const KEYS = 100_000;

const LOADS = /** @type {const} */ ([
  { clients: 1, keys: 'zipfian', writeShare: 0 },
  { clients: MOST_CLIENTS, keys: 'zipfian', writeShare: 0 },
  { clients: MOST_CLIENTS, keys: 'zipfian', writeShare: 0.05 },
  { clients: 1, keys: 'uniform', writeShare: 0 },
]);

/** @param {Context} context */
async function run(context) {
  const { isQuick } = context;
  const load = { valueBytes: VALUE_BYTES, keyCount: isQuick ? KEYS / 20 : KEYS };
  const crews = await startCrews(context, cachingPeers, { kind: 'string', load, clients: MOST_CLIENTS });
  const times = isQuick ? { ms: 40, timedMs: 15 } : { ms: 300, timedMs: 60 };
  try {
    await context.quiet.wait('cache', isQuick ? 0 : 20_000);
    for (const { clients, keys, writeShare } of LOADS) {
      const workload = /** @type {const} */ ({ mode: 'blocking', kind: 'string' });
      const runners = await runnersOf(crews, { ...workload, ...load, keys, writeShare }, { ...times, clients });
      const who = clients === 1 ? 'one client' : `${clients} clients`;
      const work = `${who}, ${keys} keys, ${writeShare === 0 ? 'reads only' : `${writeShare * 100} % writes`}`;
      await compare(context, runners, { section: 'cache', work, rounds: isQuick ? 2 : ROUNDS });
    }
    context.quiet.conclude('cache');
  } finally {
    await stopCrews(crews);
  }
}

/** @type {Section} */
export const cache = { id: 'cache', title: 'caches of decoded values, of text and of JSON', run };
