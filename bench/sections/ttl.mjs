/**
 * What expiry costs: a get of keys that expire beside one of keys that do not, and the calls of another client while very
 * many keys expire at once.
 */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { KvsClient } from 'shm-kvs';

import { stopProcess } from '../peers/processes.mjs';
import { randomFrom, uniform } from '../workload/random.mjs';
import { median } from './context.mjs';
import { latencies } from './latencies.mjs';

/** @import { Context, Section } from './context.mjs' */

const binary = fileURLToPath(new URL('../../bin/kvs-server.js', import.meta.url));
const VALUE = 'v'.repeat(64);
const BATCH = 1000;
/** Read again and again, of each kind. */
const CACHED_KEYS = 1000;
const DAY_MS = 86_400_000;
const CONNECT_MS = 60_000;

/** @param {Context} context */
async function run(context) {
  const name = `bench-ttl-${process.pid}`;
  const server = spawn(process.execPath, [binary, '--name', name, '--max-memory', context.isQuick ? '64M' : '1G'], {
    stdio: 'ignore',
  });
  try {
    await context.quiet.wait('ttl', context.isQuick ? 0 : 20_000);
    await costOfGet(context, name);
    await tail(context, name);
    context.quiet.conclude('ttl');
  } finally {
    await stopProcess(server);
  }
}

/** @param {string} name @param {Partial<import('shm-kvs').KvsClientOptions>} options */
async function connected(name, options = {}) {
  const giveUpAt = performance.now() + CONNECT_MS;
  for (;;) {
    try {
      return await KvsClient.connect({ name, timeoutMs: CONNECT_MS, ...options });
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await delay(5);
    }
  }
}

/**
 * @param {KvsClient} client
 * @param {string} prefix
 * @param {number} count
 * @param {import('shm-kvs').WriteOptions} [options]
 */
async function fill(client, prefix, count, options) {
  for (let i = 0; i < count; i += BATCH) {
    const size = Math.min(BATCH, count - i);
    await client.mset(
      Array.from({ length: size }, (_, j) => /** @type {[string, string]} */ ([`${prefix}${i + j}`, VALUE])),
      options,
    );
  }
}

/** @param {Context} context @param {string} name */
async function costOfGet(context, name) {
  const { isQuick, results } = context;
  const count = isQuick ? 10_000 : 100_000;
  const rounds = isQuick ? 5 : 61;
  const ways = /** @type {const} */ ([
    ['direct', 'direct read', { cacheEntries: 0 }],
    ['cached', 'value in the cache', { cacheEntries: 2 * CACHED_KEYS }],
    ['server', 'through the server', { reads: 'server' }],
  ]);
  const lines = ['| blocking get, 64 B | without ns | with a TTL ns | cost % |', '|---|---:|---:|---:|'];
  const writer = await connected(name);
  await fill(writer, 'plain:', count);
  await fill(writer, 'mortal:', count, { ttlMs: DAY_MS });
  for (const [id, title, options] of ways) {
    const client = await connected(name, options);
    const gets = Math.min(count, id === 'server' ? 5000 : 50_000);
    /** @type {Record<string, number[]>} */
    const times = { 'plain:': [], 'mortal:': [] };
    /** @type {number[]} */
    const ratios = [];
    const keys = uniform(id === 'cached' ? CACHED_KEYS : count, randomFrom(1));
    for (let round = -1; round < rounds; round++) {
      // Who goes first changes, or the other would always find warmer caches.
      for (const prefix of round % 2 === 0 ? ['plain:', 'mortal:'] : ['mortal:', 'plain:']) {
        const names = Array.from({ length: gets }, () => prefix + keys());
        const startedAt = performance.now();
        for (const key of names) if (client.getSync(key) !== VALUE) throw new Error(`${key} has a wrong value`);
        if (round >= 0) times[prefix].push(((performance.now() - startedAt) / gets) * 1e6);
      }
      if (round >= 0) ratios.push(times['mortal:'][round] / times['plain:'][round]);
    }
    await client.close();
    const cost = (median(ratios) - 1) * 100;
    results.numbers[`ttl.${id}CostPercent`] = cost;
    const figures = [median(times['plain:']).toFixed(0), median(times['mortal:']).toFixed(0), cost.toFixed(1)];
    lines.push(`| ${title} | ${figures.join(' | ')} |`);
    context.say(`  ${title}: ${figures[0]} ns, with a TTL ${figures[1]} ns, ${figures[2]} %`);
  }
  await writer.flush();
  await writer.close();
  results.tables.push({ title: 'What a TTL costs a get (median of paired rounds)', text: lines.join('\n') });
}

/** @param {Context} context @param {string} name */
async function tail(context, name) {
  const { isQuick, results } = context;
  const count = isQuick ? 20_000 : 1_000_000;
  const loadMs = isQuick ? 1500 : 30_000;
  const baselineMs = isQuick ? 300 : 5000;
  const client = await connected(name, { reads: 'server' });
  const direct = await connected(name, { cacheEntries: 0 });
  await fill(client, 'live:', 10_000);
  const { expired: before } = await client.stats();
  const expiresAt = Date.now() + loadMs + baselineMs;
  const goneAt = performance.now() + loadMs + baselineMs;
  await fill(client, 'mortal:', count, { expiresAt });
  if (performance.now() > goneAt - baselineMs) throw new Error(`${count} keys took too long to write`);
  const number = uniform(10_000, randomFrom(2));
  /** @type {Record<string, (key: string) => unknown>} */
  const calls = {
    'get, direct': (key) => direct.getSync(key),
    'get, server': (key) => client.getSync(key),
    set: (key) => client.setSync(key, VALUE),
  };
  const quiet = await latencies(calls, number, () => performance.now() > goneAt - 50);
  // From before the moment on until all of them are gone.
  const startedAt = performance.now();
  const stormy = await latencies(calls, number, () => client.statsSync().expired - before >= count);
  const tookMs = performance.now() - Math.max(goneAt, startedAt);
  results.numbers['ttl.removedPerS'] = count / (tookMs / 1000);
  const lines = ['| blocking call of another client, µs | p50 | p99 | p99.9 | max |', '|---|---:|---:|---:|---:|'];
  for (const what of Object.keys(calls)) {
    for (const [when, histograms] of /** @type {const} */ ([
      ['before', quiet],
      ['while they expire', stormy],
    ])) {
      const histogram = histograms[what];
      const us = [50, 99, 99.9].map((percentile) => histogram.percentile(percentile) / 1000);
      const figures = [...us, histogram.max / 1000].map((figure) => figure.toFixed(1));
      lines.push(`| ${what}, ${when} | ${figures.join(' | ')} |`);
      context.say(
        `  ${what}, ${when}: p50 ${figures[0]}, p99 ${figures[1]}, p99.9 ${figures[2]}, max ${figures[3]} µs`,
      );
      const id = `ttl.${what.replaceAll(/\W+/g, '-')}.${when.split(' ')[0]}`;
      results.numbers[`${id}.p99Us`] = us[1];
      results.numbers[`${id}.p999Us`] = us[2];
    }
  }
  context.say(`  ${count} keys were gone ${tookMs.toFixed(0)} ms after the moment at which they expired`);
  await client.flush();
  await Promise.all([client.close(), direct.close()]);
  lines.push('', `${count.toLocaleString('en')} keys that expire at once were removed within ${tookMs.toFixed(0)} ms.`);
  results.tables.push({
    title: `Calls while ${count.toLocaleString('en')} keys expire at once`,
    text: lines.join('\n'),
  });
}

/** @type {Section} */
export const ttl = { id: 'ttl', title: 'keys that expire: cost of a get, calls while a million expire at once', run };
