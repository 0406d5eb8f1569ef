/** What a server with 8 workers and 10 connected clients costs while nobody asks anything. */
import { setTimeout as delay } from 'node:timers/promises';

import { cpuMicrosOf } from '../machine/cpu.mjs';
import { shmKvs } from '../peers/shm-kvs.mjs';
import { startCrew, stopCrews } from './measure.mjs';

/** @import { Context, Section } from './context.mjs' */

const WORKERS = 8;
const CLIENTS = 10;
const SETTLE_MS = 30_000;

/** @param {Context} context */
async function run(context) {
  const load = { valueBytes: 64, keyCount: 1000, workers: WORKERS };
  const crew = await startCrew(context, shmKvs, 'string', load);
  if (crew === undefined) return;
  await crew.hire(CLIENTS);
  await crew.fill(0, load.keyCount);
  const workload = /** @type {const} */ ({
    mode: 'in flight',
    writeShare: 0.5,
    keys: 'uniform',
    kind: 'string',
    ...load,
  });
  // All have been busy once: what they do afterwards counts, not that they never began.
  await crew.run(workload, { ms: 20, timedMs: 1, clients: CLIENTS });
  // The engines tidy their heaps for some twenty seconds after the last work: that is not what idling costs.
  await delay(context.isQuick ? 1000 : SETTLE_MS);
  const ms = context.isQuick ? 2000 : 10_000;
  const server = cpuMicrosOf(crew.started.pids);
  const clients = cpuMicrosOf(crew.pids);
  await delay(ms);
  const share = (/** @type {number} */ micros) => (micros / 1000 / ms) * 100;
  const serverPercent = share(cpuMicrosOf(crew.started.pids) - server);
  const clientsPercent = share(cpuMicrosOf(crew.pids) - clients);
  await stopCrews([crew]);
  context.results.numbers['idle.cpuPercent'] = serverPercent + clientsPercent;
  context.say(`  server ${serverPercent.toFixed(2)} %, clients ${clientsPercent.toFixed(2)} % of a core`);
  const lines = [
    `| over ${ms / 1000} s, ${SETTLE_MS / 1000} s after the last request | % of a core |`,
    '|---|---:|',
    `| server, ${WORKERS} workers | ${serverPercent.toFixed(3)} |`,
    `| ${CLIENTS} client processes | ${clientsPercent.toFixed(3)} |`,
    `| all | ${(serverPercent + clientsPercent).toFixed(3)} |`,
  ];
  context.results.tables.push({ title: 'Idle CPU', text: lines.join('\n') });
}

/** @type {Section} */
export const idle = { id: 'idle', title: 'idle CPU', run };
