/** From the start of a server that follows a killed one to its first answer, by how many entries it takes over. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { KvsClient, KvsError } from 'shm-kvs';

import { stopProcess } from '../peers/processes.mjs';
import { median } from './context.mjs';

/** @import { ChildProcess } from 'node:child_process' */
/** @import { Context, Section } from './context.mjs' */

const binary = fileURLToPath(new URL('../../bin/kvs-server.js', import.meta.url));
const VALUE = 'v'.repeat(64);
const BATCH = 1000;
const PATIENCE_MS = 60_000;

/** @param {Context} context */
async function run(context) {
  const runs = context.isQuick ? 3 : 10;
  const sizes = context.isQuick ? [100_000] : [100_000, 1_000_000];
  await context.quiet.wait('restart', context.isQuick ? 0 : 20_000);
  const lines = ['| restart to first answer, entries of 64 B | median ms | slowest ms |', '|---|---:|---:|'];
  for (const entries of sizes) {
    const { times, fromDeath } = await restartTimes(entries, runs);
    context.results.numbers[`restart.${entries}Ms`] = median(times);
    context.results.numbers[`restart.${entries}FromDeathMs`] = median(fromDeath);
    context.results.numbers[`restart.${entries}FromDeathMaxMs`] = Math.max(...fromDeath);
    lines.push(`| ${entries} | ${median(times).toFixed(0)} | ${Math.max(...times).toFixed(0)} |`);
    context.say(`  ${entries} entries: median ${median(times).toFixed(0)} ms of ${times.length}`);
  }
  context.results.tables.push({ title: 'Restart after SIGKILL', text: lines.join('\n') });
}

/**
 * Milliseconds to the first answer, from the start of the next server and from the death of the one before, whose end is
 * waited for.
 * @param {number} entries @param {number} runs @returns {Promise<{ times: number[], fromDeath: number[] }>}
 */
export async function restartTimes(entries, runs) {
  const name = `bench-restart-${process.pid}-${entries}`;
  let server = startServer(name);
  /** @type {{ times: number[], fromDeath: number[] }} */
  const result = { times: [], fromDeath: [] };
  try {
    const client = await connected(name);
    for (let i = 0; i < entries; i += BATCH) {
      await client.mset(
        Array.from({ length: BATCH }, (_, j) => /** @type {[string, string]} */ ([`key:${i + j}`, VALUE])),
      );
    }
    for (let i = 0; i < runs; i++) {
      const killedAt = performance.now();
      server.kill('SIGKILL');
      await once(server, 'exit');
      const startedAt = performance.now();
      server = startServer(name);
      // Asked for while there is no server, and answered by the next one.
      const size = await client.size();
      result.times.push(performance.now() - startedAt);
      result.fromDeath.push(performance.now() - killedAt);
      if (size !== entries) throw new Error(`${size} entries after a restart, expected ${entries}`);
    }
    await client.close();
  } finally {
    await stopProcess(server);
  }
  return result;
}

/** @param {string} name @returns {ChildProcess} */
export const startServer = (name) =>
  spawn(process.execPath, [binary, '--name', name, '--max-memory', '512M'], { stdio: 'ignore' });

/** @param {string} name */
export async function connected(name) {
  const options = {
    name,
    reads: /** @type {const} */ ('server'),
    timeoutMs: PATIENCE_MS,
    reconnectTimeoutMs: PATIENCE_MS,
  };
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await KvsClient.connect(options);
    } catch (error) {
      const isEarly = error instanceof KvsError && error.code === 'ERR_KVS_NO_REGION';
      if (!isEarly || performance.now() > giveUpAt) throw error;
      await delay(1);
    }
  }
}

/** @type {Section} */
export const restart = { id: 'restart', title: 'restart after SIGKILL to first answer', run };
