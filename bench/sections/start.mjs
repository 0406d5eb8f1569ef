/** From the start of a server of 256 MiB to the first answer: within a process, and of the program kvs-server. */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { KvsClient, KvsError } from 'shm-kvs';

import { stopProcess } from '../peers/processes.mjs';
import { median } from './context.mjs';

/** @import { Context, Section } from './context.mjs' */

const probe = fileURLToPath(new URL('../workload/start-probe.mjs', import.meta.url));
const binary = fileURLToPath(new URL('../../bin/kvs-server.js', import.meta.url));
const GIVE_UP_MS = 20_000;

/** @param {Context} context */
async function run(context) {
  const runs = context.isQuick ? 3 : 10;
  /** @type {number[]} */
  const within = [];
  /** @type {number[]} */
  const program = [];
  const hasBinary = existsSync(binary);
  for (let i = 0; i < runs; i++) {
    // A start keeps every CPU busy: whatever else runs is measured with it.
    await context.quiet.wait('start', context.isQuick ? 0 : 5000);
    const { stdout } = await promisify(execFile)(process.execPath, [probe]);
    within.push(Number(stdout));
    if (hasBinary) program.push(await startBinary(`bench-start-${process.pid}-${i}`));
  }
  const lines = ['| start to first answer, 256 MiB | median ms | fastest ms | slowest ms |', '|---|---:|---:|---:|'];
  const add = (/** @type {string} */ name, /** @type {string} */ id, /** @type {number[]} */ times) => {
    context.results.numbers[`start.${id}Ms`] = median(times);
    const [middle, fastest, slowest] = [median(times), Math.min(...times), Math.max(...times)].map((ms) =>
      ms.toFixed(0),
    );
    lines.push(`| ${name} | ${middle} | ${fastest} | ${slowest} |`);
    context.say(`  ${name}: median ${middle} ms of ${times.length}, ${fastest} to ${slowest}`);
  };
  add('KvsServer.start() and a first get', 'within', within);
  if (hasBinary) add('kvs-server, from spawn to a first get of another process', 'program', program);
  else context.results.skipped.push({ peer: 'kvs-server', reason: 'the program is not built yet' });
  context.results.tables.push({ title: 'Server start', text: lines.join('\n') });
}

/** @param {string} name @returns {Promise<number>} milliseconds */
async function startBinary(name) {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [binary, '--name', name], { stdio: 'ignore' });
  try {
    for (;;) {
      try {
        const client = await KvsClient.connect({ name });
        await client.get('anything');
        const elapsedMs = performance.now() - startedAt;
        await client.close();
        return elapsedMs;
      } catch (error) {
        const isEarly = error instanceof KvsError && error.code === 'ERR_KVS_NO_REGION';
        if (!isEarly || child.exitCode !== null || performance.now() - startedAt > GIVE_UP_MS) throw error;
        await delay(1);
      }
    }
  } finally {
    await stopProcess(child);
  }
}

/** @type {Section} */
export const start = { id: 'start', title: 'server start to first answer', run };
