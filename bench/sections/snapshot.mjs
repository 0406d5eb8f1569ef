/** Calls of a client while a snapshot of a million entries is made, beside the same calls without one. */
import { KvsClient } from 'shm-kvs';

import { diskFolder } from '../machine/disk.mjs';
import { startShmKvs } from '../peers/shm-kvs.mjs';
import { randomFrom, uniform } from '../workload/random.mjs';
import { median } from './context.mjs';
import { latencies } from './latencies.mjs';

/** @import { Context, Section } from './context.mjs' */

const VALUE = 'v'.repeat(64);
const BATCH = 1000;
const MANY_BYTES = 2 ** 40;
const TIMEOUT_MS = 60_000;
const PERCENTILES = [50, 99, 99.9];

/** @param {Context} context */
async function run(context) {
  const { isQuick, results } = context;
  const count = isQuick ? 20_000 : 1_000_000;
  // Two CPUs are crowded: each snapshot takes a quarter of a minute.
  const rounds = isQuick ? 2 : 3;
  const folder = diskFolder();
  const load = { valueBytes: VALUE.length, keyCount: count };
  const options = {
    dir: `${folder.path}/log`,
    snapshotIntervalMs: 0,
    snapshotLogBytes: MANY_BYTES,
    maxMemory: 2 ** 29,
  };
  const server = await startShmKvs(load, options);
  try {
    const [client, direct, asking] = await Promise.all([
      KvsClient.connect({ name: server.address, timeoutMs: TIMEOUT_MS, reads: 'server' }),
      KvsClient.connect({ name: server.address, timeoutMs: TIMEOUT_MS, cacheEntries: 0 }),
      KvsClient.connect({ name: server.address, timeoutMs: TIMEOUT_MS }),
    ]);
    for (let i = 0; i < count; i += BATCH) {
      await client.mset(
        Array.from({ length: BATCH }, (_, j) => /** @type {[string, string]} */ ([`live:${i + j}`, VALUE])),
      );
    }
    const number = uniform(count, randomFrom(2));
    /** @type {Record<string, (key: string) => unknown>} */
    const calls = {
      'get, direct': (key) => direct.getSync(key),
      'get, server': (key) => client.getSync(key),
      set: (key) => client.setSync(key, VALUE),
    };
    await context.quiet.wait('snapshot', isQuick ? 0 : 20_000);
    /** By call and percentile, of each round. @type {Record<string, { without: number[], during: number[] }>} */
    const figures = {};
    /** @type {number[]} */
    const took = [];
    for (let round = -1; round < rounds; round++) {
      const startedAt = performance.now();
      const asked = asking.snapshotSync();
      const during = await latencies(calls, number, () => (asking.statsSync().log?.snapshotsServed ?? 0) >= asked);
      const ms = performance.now() - startedAt;
      const until = performance.now() + ms;
      const without = await latencies(calls, number, () => performance.now() > until);
      if (round < 0) continue;
      took.push(ms);
      for (const what of Object.keys(calls)) {
        for (const percentile of PERCENTILES) {
          const both = (figures[`${what}|${percentile}`] ??= { without: [], during: [] });
          both.without.push(without[what].percentile(percentile) / 1000);
          both.during.push(during[what].percentile(percentile) / 1000);
        }
      }
    }
    const lines = ['| blocking call | percentile | without µs | during µs | ratio |', '|---|---:|---:|---:|---:|'];
    for (const [key, { without, during }] of Object.entries(figures)) {
      const [what, percentile] = key.split('|');
      const [before, meanwhile] = [median(without), median(during)];
      const ratio = meanwhile / before;
      if (percentile === '99') results.numbers[`snapshot.${what.replaceAll(/\W+/g, '-')}.p99Ratio`] = ratio;
      const row = [before.toFixed(1), meanwhile.toFixed(1), `${ratio.toFixed(2)}×`];
      lines.push(`| ${what} | p${percentile} | ${row.join(' | ')} |`);
      context.say(`  ${what}, p${percentile}: ${row[0]} µs, during a snapshot ${row[1]} µs, ${row[2]}`);
    }
    const seconds = (median(took) / 1000).toFixed(2);
    results.numbers['snapshot.tookMs'] = median(took);
    context.say(`  a snapshot took ${seconds} s`);
    lines.push(
      '',
      `Medians of ${rounds} rounds. A snapshot of ${count.toLocaleString('en')} entries took ${seconds} s meanwhile.`,
    );
    results.tables.push({ title: 'Calls while a snapshot is made', text: lines.join('\n') });
    await Promise.all([client.close(), direct.close(), asking.close()]);
  } finally {
    await server.stop();
    folder.remove();
  }
}

/** @type {Section} */
export const snapshot = { id: 'snapshot', title: 'calls while a snapshot of a million entries is made', run };
