/**
 * Which keys a cache keeps: hit ratios of eviction policies at the same number of entries, by model, and of the store
 * itself; and what a cache costs that evicts with every set. `KVS_TRACES` names a directory with traces of the ARC paper
 * (N. Megiddo, D. Modha, USENIX FAST 2003), as OLTP.txt.gz and P3.txt.gz; they are not part of this repository.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { KvsClient, KvsServer } from '#dist/index.js';

import { bucketS3Fifo } from '../eviction/buckets.mjs';
import { hitRatio, traceLoad, zipfianLoad } from '../eviction/loads.mjs';
import { lru, s3fifo, sieve } from '../eviction/queues.mjs';
import { redisLfu, redisLru } from '../eviction/redis.mjs';

/** @import { Load } from '../eviction/loads.mjs' */
/** @import { Context, Section } from './context.mjs' */

/** Redis lets a counter decay once a minute: at a million and at a hundred thousand requests per minute. */
const POLICIES = {
  LRU: lru,
  'Redis LRU': redisLru,
  'Redis LFU, 1 M/min': redisLfu(1e6),
  'Redis LFU, 100 k/min': redisLfu(1e5),
  SIEVE: sieve,
  'S3-FIFO': s3fifo,
  'shm-kvs': bucketS3Fifo,
};

/** @param {boolean} isQuick @returns {Generator<{ load: Load, capacities: number[] }>} */
function* loads(isQuick) {
  const traces = process.env['KVS_TRACES'];
  for (const [name, capacities] of /** @type {const} */ ([
    ['OLTP', [1000, 2000, 5000, 10_000, 15_000]],
    ['P3', [2048, 8192, 32_768, 131_072]],
  ])) {
    const path = join(traces ?? '', `${name}.txt.gz`);
    if (traces !== undefined && existsSync(path)) yield { load: traceLoad(path, name), capacities: [...capacities] };
  }
  const [keys, count] = isQuick ? [20_000, 100_000] : [200_000, 1_500_000];
  const capacities = [keys / 100, keys / 10, (keys * 3) / 10];
  for (const theta of isQuick ? [0.99] : [0.7, 0.9, 0.99, 1.2]) {
    yield { load: zipfianLoad(theta, keys, count), capacities };
  }
  yield { load: zipfianLoad(0.99, keys, count, 100), capacities: capacities.slice(0, 2) };
}

/** @param {Context} context */
function measureRatios({ isQuick, results, say }) {
  const rows = [];
  for (const { load, capacities } of loads(isQuick)) {
    for (const capacity of capacities) {
      const ratios = Object.values(POLICIES).map((policy) => (100 * hitRatio(policy, load, capacity)).toFixed(2));
      rows.push(`| ${[load.name, capacity, ...ratios].join(' | ')} |`);
      say(
        `  ${load.name}, ${capacity} entries: ${Object.keys(POLICIES)
          .map((name, i) => `${name} ${ratios[i]}`)
          .join(', ')}`,
      );
    }
  }
  const head = ['load', 'entries', ...Object.keys(POLICIES)];
  const title = 'Hits of 100 requests, by model, at the same number of entries (the first requests of all keys count)';
  const text = [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...rows].join('\n');
  results.tables.push({ title, text });
}

/** @param {Context} context */
async function measureStore({ isQuick, results, say }) {
  const name = `bench-evict-${process.pid}`;
  const server = await KvsServer.start({ name, maxMemory: (isQuick ? 4 : 64) * 2 ** 20, eviction: 's3-fifo' });
  try {
    const client = await KvsClient.connect({ name });
    const value = 'v'.repeat(64);
    const load = zipfianLoad(0.99, isQuick ? 100_000 : 2_000_000, isQuick ? 200_000 : 3_000_000);
    let hits = 0;
    for (const [index, key] of load.requests.entries()) {
      if (client.getSync(`key:${key}`) !== undefined) hits++;
      else void client.set(`key:${key}`, value);
      if (index % 64 === 0) await client.ping();
    }
    const entries = server.size;
    const ratio = (100 * hits) / load.requests.length;
    const beside = 100 * hitRatio(lru, load, entries);
    const batch = 1000;
    const rounds = isQuick ? 20 : 1000;
    const before = server.stats().eviction.evicted;
    const startedAt = performance.now();
    for (let round = 0; round < rounds; round++) {
      const items = Array.from({ length: batch }, (_, i) => client.set(`new:${round * batch + i}`, value));
      await Promise.all(items);
    }
    const setsPerS = (rounds * batch * 1000) / (performance.now() - startedAt);
    const evicted = server.stats().eviction.evicted - before;
    await client.close();
    Object.assign(results.numbers, {
      'eviction.storeHitPercent': ratio,
      'eviction.lruHitPercent': beside,
      'eviction.setsPerS': setsPerS,
      'eviction.evictedPerSet': evicted / (rounds * batch),
    });
    say(`  the store, ${entries} entries: ${ratio.toFixed(2)} %, an exact LRU of as many ${beside.toFixed(2)} %`);
    say(
      `  new keys into a full store: ${Math.round(setsPerS)} sets/s, ${(evicted / (rounds * batch)).toFixed(2)} evicted per set`,
    );
  } finally {
    await server.stop();
  }
}

/** @type {Section} */
export const eviction = {
  id: 'eviction',
  title: 'What a cache keeps, and what evicting costs',
  async run(context) {
    measureRatios(context);
    await measureStore(context);
  },
};
