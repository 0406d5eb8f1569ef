/** What a server with 8 workers and 10 connected clients costs while nobody asks anything. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { cpuMicrosOf } from '../machine/cpu.mjs';
import { startClient, stopProcess } from '../peers/processes.mjs';
import { shmKvs } from '../peers/shm-kvs.mjs';

/** @import { Context, Section } from './context.mjs' */

const WORKERS = 8;
const CLIENTS = 10;
/** The engines tidy their heaps for so long after the last work, even of processes that did next to nothing. */
const SETTLE_MS = 45_000;
const MEASURE_MS = 30_000;

const program = fileURLToPath(new URL('../workload/idle-client.mjs', import.meta.url));

/** @param {Context} context */
async function run(context) {
  const [settleMs, ms] = context.isQuick ? [1000, 2000] : [SETTLE_MS, MEASURE_MS];
  const server = await shmKvs.start(context.folder, { valueBytes: 64, keyCount: 1000, workers: WORKERS });
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const client = startClient(program, [server.address]);
      const [message] = /** @type {[unknown]} */ (await once(client, 'message'));
      if (message !== 'ready') throw new Error(`a client said ${String(message)}`);
      return client;
    }),
  );
  const clientPids = clients.map((client) => client.pid ?? 0);
  await delay(settleMs);
  const before = [cpuMicrosOf(server.pids), cpuMicrosOf(clientPids)];
  const startedAt = performance.now();
  await delay(ms);
  const elapsedMicros = (performance.now() - startedAt) * 1000;
  const [ofServer, ofClients] = [cpuMicrosOf(server.pids), cpuMicrosOf(clientPids)].map(
    (micros, i) => ((micros - before[i]) / elapsedMicros) * 100,
  );
  await Promise.all(clients.map(stopProcess));
  await server.stop();
  context.results.numbers['idle.cpuPercent'] = ofServer + ofClients;
  context.say(`  server ${ofServer.toFixed(2)} %, clients ${ofClients.toFixed(2)} % of a core`);
  const lines = [
    `| over ${ms / 1000} s, ${settleMs / 1000} s after the last request | % of a core |`,
    '|---|---:|',
    `| server, ${WORKERS} workers | ${ofServer.toFixed(3)} |`,
    `| ${CLIENTS} client processes | ${ofClients.toFixed(3)} |`,
    `| all | ${(ofServer + ofClients).toFixed(3)} |`,
  ];
  context.results.tables.push({ title: 'Idle CPU', text: lines.join('\n') });
}

/** @type {Section} */
export const idle = { id: 'idle', title: 'idle CPU', run };
