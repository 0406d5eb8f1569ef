/**
 * What has expired goes by itself, on a server that nobody asks for anything, after the death of a thread that knew of
 * it, and under the next server.
 * Seen to fail (never to end) when: a thread that takes another's place does not walk over the store; a server that takes
 * a region over does not; the worker does not look at what has expired before it sleeps.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { KvsClient, type KvsServer, type KvsStatistics } from '#dist/index.js';

import { Peer } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { closing, connect, startServer, startServerProcess, statsUntil } from '../fixtures/service.js';

const HOUR = 3_600_000;

/** Looks from outside: nothing is asked of the server's workers meanwhile. */
async function untilExpired(server: KvsServer, count: number): Promise<KvsStatistics> {
  for (;;) {
    const statistics = server.stats();
    if (statistics.expired >= count) return statistics;
    await nextTurn();
  }
}

test('memory comes back while nobody asks for anything', async () => {
  const server = await startServer({ workers: 2 });
  const client = await connect(server.name);
  await client.mset(Array.from({ length: 200 }, (_, index) => [`stays ${index}`, 'v'.repeat(100)] as const));
  const before = server.stats();
  const keys = Array.from({ length: 5000 }, (_, index) => [`goes ${index}`, 'v'.repeat(100)] as const);
  await client.mset(keys, { ttlMs: 400 });
  for (let index = 0; index < 200; index++) await client.set(`one ${index}`, 'v', { ttlMs: 300 + index });
  const { expired, memory, entries } = await untilExpired(server, 5200);
  expect({ expired, entries }).toEqual({ expired: 5200, entries: 200 });
  expect(memory.usedBytes).toBeLessThan(before.memory.usedBytes + 200_000);
  expect((await client.mget(keys.map(([key]) => key))).every((value) => value === undefined)).toBe(true);
  expect(await client.get('stays 7')).toBe('v'.repeat(100));
});

test('a thread that died is not missed by what expires', async () => {
  const name = regionName();
  const server = await Peer.start('service/mortal-server', JSON.stringify({ name, workers: 1 }));
  const client = await connect(name);
  const keys = Array.from({ length: 1000 }, (_, index) => [`k${index}`, 'v'] as const);
  await client.mset(keys, { ttlMs: 2000 });
  await client.set('stays', 'v', { ttlMs: HOUR });
  await server.tell('kill', 0);
  const { entries } = await statsUntil(client, ({ expired }) => expired === 1000);
  expect(entries).toBe(1);
  expect(await client.ttl('stays')).toBeGreaterThan(HOUR - 600_000);
});

test('the next server goes on with what its predecessor knew', async () => {
  const name = regionName();
  const first = await startServerProcess({ workers: 2 }, name);
  const client = await connect(name);
  const reader = closing(await KvsClient.connect({ name }));
  const remembering = closing(await KvsClient.connect({ name, cacheEntries: 10 }));
  await client.mset(
    Array.from({ length: 1000 }, (_, index) => [`k${index}`, 'v'] as const),
    { ttlMs: 3000 },
  );
  await client.set('stays', 'v');
  await client.set('hour', 'v', { ttlMs: HOUR });
  const { expiresAt = 0 } = (await client.getEntry('hour')) ?? {};
  await first.kill();
  // Without a server, too, a key is gone when its time has come.
  while (reader.getSync('k999') !== undefined) remembering.getSync('k999');
  expect(remembering.getSync('k999')).toBeUndefined();
  expect(reader.getSync('stays')).toBe('v');
  await startServerProcess({ workers: 3 }, name);
  const { entries } = await statsUntil(client, ({ expired }) => expired === 1000);
  expect(entries).toBe(2);
  const left = (await client.ttl('hour')) ?? 0;
  expect(left > HOUR - 600_000 && left <= HOUR).toBe(true);
  expect(Math.abs(((await client.getEntry('hour'))?.expiresAt ?? 0) - expiresAt)).toBeLessThanOrEqual(2);
  expect(await client.ttl('stays')).toBeNull();
});
