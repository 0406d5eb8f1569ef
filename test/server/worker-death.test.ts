/**
 * Worker threads that die at any instruction: their requests are executed exactly once all the same, the store stays
 * whole, nothing leaks.
 * Under load most deaths meet a thread between two requests; so there are others that are sure to have met it within one.
 * Death after each single write is in-flight.test.ts.
 * Seen to fail when: the request of a dead thread is refused, or answered as if it had been executed.
 */
import { setTimeout } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { type KvsClient, KvsError } from '#dist/index.js';

import { Peer } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { openClient, randomness, statsUntil } from '../fixtures/service.js';

const KILLS = 50;
const MAX_MEMORY = 8 * 2 ** 20;
const KEYS = 400;
const DEATHS_AT_WORK = 20;

/** A value that says which key it is of. */
const valueOf = (key: string, size: number): string => `${key}|${`${size % 10}`.repeat(size)}|`;
const isOf = (key: string, value: string): boolean => {
  const size = value.length - key.length - 2;
  return value === valueOf(key, size);
};

/** Sets keys until the store is full. @returns how many */
async function fill(client: KvsClient): Promise<number> {
  for (let i = 0; ; i++) {
    try {
      await client.set(`fill ${i}`, 'f'.repeat(1000));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_KVS_OUT_OF_MEMORY' });
      return i;
    }
  }
}

/** What has been added to each counter. */
type Sums = Map<string, number>;

async function load(
  client: KvsClient,
  random: (below: number) => number,
  over: AbortSignal,
  sums: Sums,
): Promise<void> {
  while (!over.aborted) {
    const calls = Array.from({ length: 40 }, async () => {
      const key = `key ${random(KEYS)}`;
      try {
        switch (random(8)) {
          case 0:
            return await client.del(key);
          case 1: {
            const counter = `count ${random(5)}`;
            await client.incr(counter);
            return sums.set(counter, (sums.get(counter) ?? 0) + 1);
          }
          case 2:
            return await client.mset(
              [1, 2, 3].map((i): [string, string] => [`${key}.${i}`, valueOf(`${key}.${i}`, random(300))]),
            );
          case 3:
            return await client.cas(key, 0, valueOf(key, random(100)));
          case 4: {
            const value = await client.get(key);
            if (value !== undefined) expect(isOf(key, value), key).toBe(true);
            return value;
          }
          default:
            return await client.set(key, valueOf(key, random(10) === 0 ? random(20_000) : random(500)));
        }
      } catch (error) {
        if (!(error instanceof KvsError)) throw error;
        expect(error.code).toBe('ERR_KVS_OUT_OF_MEMORY');
        return undefined;
      }
    });
    await Promise.all(calls);
  }
}

test('after 50 deaths of worker threads under load the store is whole and all of its memory usable', async () => {
  const name = regionName();
  const options = { name, workers: 3, slots: 128, stripes: 4, maxMemory: MAX_MEMORY };
  const server = await Peer.start('service/mortal-server', JSON.stringify(options));
  const client = await openClient({ name, reads: 'server' });
  const direct = await openClient({ name, reads: 'direct' });
  const capacity = await fill(client);
  await client.flush();
  const empty = (await client.stats()).memory.usedBytes;

  const random = randomness();
  const over = new AbortController();
  const sums: Sums = new Map();
  const loads = Promise.all([client, direct].map((each) => load(each, random, over.signal, sums)));
  let killed = 0;
  while (killed < KILLS) {
    // At a moment of chance; a thread that is just being replaced cannot be killed.
    await setTimeout(random(10));
    // Two at a time as well: one may hold what cleaning up after the other needs.
    killed += (await server.tell('kill', random(100), Math.min(KILLS - killed, 1 + random(2)))) as number;
  }
  over.abort();
  await loads;

  const events = (await server.tell('events')) as { type: string }[];
  expect(events.filter(({ type }) => type === 'worker-died').length).toBe(KILLS);
  for (const [counter, sum] of sums) expect(await client.get(counter), counter).toBe(`${sum}`);
  const keys: string[] = [];
  for await (const [key, value] of client.entries()) {
    if (!key.startsWith('count')) expect(isOf(key, value), `${key}: ${value.slice(0, 60)}`).toBe(true);
    keys.push(key);
  }
  expect(new Set(keys).size).toBe(keys.length);
  expect(await client.size()).toBe(keys.length);
  expect((await client.mget(keys)).every((value) => value !== undefined)).toBe(true);
  expect(await client.mdel(keys)).toBe(keys.length);
  expect(await client.size()).toBe(0);
  expect([...client.keysSync()]).toEqual([]);
  const stats = await statsUntil(client, ({ slots, memory }) => slots.inUse === 1 && memory.arenaUsedBytes === 0);
  console.log('used when empty, before and after:', empty, stats.memory.usedBytes);
  // Overflow buckets stay where they were linked; entries do not.
  expect(stats.memory.usedBytes - empty).toBeLessThan(MAX_MEMORY / 50);
  expect(await fill(client)).toBeGreaterThan(capacity * 0.97);
});

test('requests over which a thread has died are executed once, by another', async () => {
  const name = regionName();
  const options = { name, workers: 2, slots: 64, stripes: 4, maxMemory: 32 * 2 ** 20 };
  const server = await Peer.start('service/mortal-server', JSON.stringify(options));
  const client = await openClient({ name, reads: 'server' });
  const random = randomness();
  let [rounds, deaths] = [0, 0];
  // One death a round: over a request that it befalls four times another thread may give up.
  while (deaths < DEATHS_AT_WORK) {
    const items = Array.from({ length: 400 }, (_, i): [string, string] => [
      `key ${i}`,
      valueOf(`key ${i}`, random(i % 50 === 0 ? 5000 : 100)),
    ]);
    const large = valueOf('large', 200_000 + random(200_000));
    const answers = Promise.all([
      client.mset(items),
      client.incr('sum', rounds + 1),
      client.set('large', large),
      client.mget(items.map(([key]) => key)),
      client.incr('count'),
      client.getdel('large'),
      client.mdel(items.map(([key]) => key)),
      client.exists('key 0'),
    ]);
    if ((await server.tell('killAtWork', 5)) === true) deaths++;
    const sum = ((rounds + 1) * (rounds + 2)) / 2;
    const expected = [true, sum, true, items.map(([, value]) => value), rounds + 1, large, items.length, false];
    expect(await answers).toEqual(expected);
    rounds++;
  }
  console.log(`deaths over a request: ${deaths}, in ${rounds} rounds`);
  expect(await client.size()).toBe(2);
}, 600_000);

test('all workers dead at once: requests are answered by their successors', async () => {
  const name = regionName();
  const server = await Peer.start('service/mortal-server', JSON.stringify({ name, workers: 2, maxMemory: MAX_MEMORY }));
  const client = await openClient({ name, reads: 'server' });
  await client.set('k', 'v');
  expect(await server.tell('kill', 0)).toBe(1);
  expect(await server.tell('kill', 0)).toBe(1);
  const calls = Array.from({ length: 100 }, () => client.get('k'));
  expect(await Promise.all(calls)).toEqual(calls.map(() => 'v'));
  const died = (await server.tell('events')) as { type: string; worker: number; error: unknown }[];
  expect(died.map(({ type }) => type)).toEqual(['worker-died', 'worker-died']);
  expect(died.map(({ worker }) => worker).toSorted((a, b) => a - b)).toEqual([0, 1]);
});
