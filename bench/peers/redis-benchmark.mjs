/** redis-benchmark: what Redis does for a client written in C. Its values are not verified, its CPU time is not counted. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { cpuMicrosOf } from '../machine/cpu.mjs';
import { firstLineOf, stopProcess } from './processes.mjs';
import { startRedis } from './redis.mjs';

/** @import { Runner } from '../sections/measure.mjs' */

export const REDIS_BENCHMARK = 'redis-benchmark -c 1 -P 16';

/**
 * Starts a Redis for it, holding as many keys as the others.
 * @param {string} folder
 * @param {{ keyCount: number, valueBytes: number }} load
 */
export async function startRedisBenchmark(folder, { keyCount, valueBytes }) {
  firstLineOf('redis-benchmark', ['--version'], 'apt-get install redis-tools');
  const address = join(folder, 'redis-benchmark.sock');
  const child = await startRedis(address, folder);
  const pids = [child.pid ?? 0];
  const common = ['-s', address, '-d', `${valueBytes}`, '-r', `${keyCount}`, '--csv', '-P', '16'];
  const measure = async (/** @type {'get' | 'set'} */ test, /** @type {number} */ requests, clients = 1) => {
    const args = [...common, '-c', `${clients}`, '-t', test, '-n', `${requests}`];
    const { stdout } = await promisify(execFile)('redis-benchmark', args);
    const line = stdout.split('\n').find((text) => text.startsWith(`"${test.toUpperCase()}"`)) ?? '';
    return Number(line.split(',')[1]?.replaceAll('"', ''));
  };
  await measure('set', keyCount * 2, 4);
  return {
    stop: async () => stopProcess(child),
    /** @param {'get' | 'set'} test @param {number} requests a round @returns {Runner} */
    runner: (test, requests) => ({
      peer: REDIS_BENCHMARK,
      pids,
      async round() {
        const before = cpuMicrosOf(pids);
        const opsPerS = await measure(test, requests);
        const cpuMicrosPerOp = (cpuMicrosOf(pids) - before) / requests;
        return { opsPerS, ops: requests, cpuMicrosPerOp, wrong: 0, timesMs: [] };
      },
    }),
  };
}
