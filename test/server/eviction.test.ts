/**
 * A server that evicts, with its clients: reads of every kind count as uses, listeners hear of evictions, 'none' refuses,
 * a policy may change from one server to the next, and a kill at any moment leaves nothing behind.
 * Seen to fail when: direct reads, or hits in the cache of decoded values, leave no mark.
 */
import { setTimeout } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { type EvictedKeys, type KvsClient, KvsServer, type KvsStatistics } from '#dist/index.js';

import { auditedAtRest } from '../fixtures/audited.js';
import { type Peer, until } from '../fixtures/processes.js';
import { connect, failureOf, openClient, randomness, startServer, startServerProcess } from '../fixtures/service.js';
import { regionName } from '../fixtures/region.js';

const SMALL = { maxMemory: 4 * 2 ** 20, workers: 1 } as const;
const VALUE = 'v'.repeat(500);
const FAVOURITES = Array.from({ length: 100 }, (_, index) => `favourite ${index}`);
const HOUR = 3_600_000;

/** Writes more than the server can hold, and reads the favourites now and then. */
async function flood(client: KvsClient, read: () => unknown, keys = 20_000): Promise<void> {
  for (let index = 0; index < keys; index += 200) {
    const batch = Array.from({ length: 200 }, (_, i) => [`flood ${index + i}`, VALUE] as const);
    await client.mset(Object.fromEntries(batch));
    await read();
  }
}

const READS: Record<
  string,
  { reads: 'direct' | 'server'; cacheEntries?: number; read: (client: KvsClient) => unknown }
> = {
  'get through the server': {
    reads: 'server',
    read: (client) => Promise.all(FAVOURITES.map((key) => client.get(key))),
  },
  'mget through the server': { reads: 'server', read: (client) => client.mget(FAVOURITES) },
  'direct reads': {
    reads: 'direct',
    cacheEntries: 0,
    read: (client) => FAVOURITES.forEach((key) => client.getSync(key)),
  },
  'direct reads of decoded values': {
    reads: 'direct',
    cacheEntries: 1000,
    read: (client) => FAVOURITES.forEach((key) => client.getSync(key)),
  },
};

describe('what is used stays', () => {
  test.each(Object.keys(READS))('%s', async (how) => {
    const { reads, cacheEntries, read } = READS[how];
    const server = await startServer({ ...SMALL, eviction: 's3-fifo' });
    const reader = await openClient({ name: server.name, reads, cacheEntries });
    const writer = await connect(server.name);
    for (const key of FAVOURITES) await writer.set(key, key);
    await flood(writer, () => read(reader));
    expect((await writer.mget(FAVOURITES)).filter((value) => value !== undefined).length).toBeGreaterThan(95);
    const { eviction, entries } = await writer.stats();
    expect(eviction.policy).toBe('s3-fifo');
    expect(eviction.evicted + entries).toBe(20_000 + FAVOURITES.length);
    expect(eviction.evictedBytes).toBeGreaterThan(eviction.evicted * 500);
  });
});

test('what nobody reads goes', async () => {
  const server = await startServer({ ...SMALL, eviction: 's3-fifo' });
  const writer = await connect(server.name);
  for (const key of FAVOURITES) await writer.set(key, key);
  await flood(writer, () => undefined, 60_000);
  expect((await writer.mget(FAVOURITES)).filter((value) => value !== undefined).length).toBeLessThan(20);
});

test('listeners hear of the keys that went; those who left do not', async () => {
  const server = await startServer({ ...SMALL, eviction: 's3-fifo' });
  const client = await connect(server.name);
  const heard: string[] = [];
  let dropped = 0;
  const listener = (evicted: EvictedKeys): void => {
    heard.push(...evicted.keys.map(String));
    ({ dropped } = { dropped: dropped + evicted.dropped });
  };
  expect(server.on('evict', listener)).toBe(server);
  await flood(client, () => undefined, 15_000);
  await until(() => heard.length + dropped === server.stats().eviction.evicted);
  expect(heard.length).toBeGreaterThan(100);
  expect(new Set(heard).size).toBe(heard.length);
  expect((await client.mget(heard.slice(0, 500))).every((value) => value === undefined)).toBe(true);
  server.off('evict', listener);
  const before = heard.length;
  await flood(client, () => undefined, 15_000);
  expect(heard.length).toBe(before);
  expect(() => server.on('expire' as 'evict', listener)).toThrow(TypeError);
});

test("with 'none', which is the default, a full store refuses and keeps every entry", async () => {
  const server = await startServer(SMALL);
  const client = await connect(server.name);
  const stored: string[] = [];
  let failure;
  for (let index = 0; failure === undefined; index++) {
    const done = await client.set(`key ${index}`, `${index} ${VALUE}`).catch((error: unknown) => error);
    if (done === true) stored.push(`key ${index}`);
    else failure = done;
  }
  expect(failure).toMatchObject({ code: 'ERR_KVS_OUT_OF_MEMORY' });
  const contents = async (): Promise<unknown[]> => {
    const all: unknown[] = [];
    for await (const entry of client.entries()) all.push(entry);
    return all;
  };
  const before = await contents();
  expect(before).toHaveLength(stored.length);
  expect((await failureOf(client.set('one more', VALUE))).code).toBe('ERR_KVS_OUT_OF_MEMORY');
  expect((await failureOf(client.set('large', 'x'.repeat(400_000)))).code).toBe('ERR_KVS_OUT_OF_MEMORY');
  expect(await contents()).toEqual(before);
  expect(server.stats().eviction).toEqual({ policy: 'none', evicted: 0, evictedBytes: 0 });
});

test('expired entries make room too', async () => {
  const server = await startServer({ ...SMALL, eviction: 's3-fifo' });
  const client = await connect(server.name);
  for (let index = 0; index < 20_000; index++) {
    const ttlMs = index % 2 === 0 ? 1 : HOUR;
    void client.set(`key ${index}`, VALUE, { ttlMs });
    if (index % 200 === 199) await client.ping();
  }
  expect(await client.set('last', VALUE)).toBe(true);
});

test('a full store of one policy is taken over with another', async () => {
  const name = regionName();
  const first = await KvsServer.start({ name, ...SMALL });
  const client = await openClient({ name });
  let count = 0;
  while (await client.set(`key ${count}`, VALUE).catch(() => false)) count++;
  await first.stop({ keep: true });
  const second = await KvsServer.start({ name, ...SMALL, eviction: 's3-fifo' });
  for (let index = 0; index < 2000; index++) expect(await client.set(`more ${index}`, VALUE)).toBe(true);
  expect(second.stats().eviction.evicted).toBeGreaterThan(1500);
  await second.stop({ keep: true });
  const third = await startServer(SMALL, name);
  expect((await failureOf(client.set('too much', 'x'.repeat(400_000)))).code).toBe('ERR_KVS_OUT_OF_MEMORY');
  expect(await client.get('more 1999')).toBe(VALUE);
  expect(third.stats().eviction).toMatchObject({ policy: 'none', evicted: second.stats().eviction.evicted });
  await client.close();
  await auditedAtRest(name);
});

test('a server that is killed while it evicts leaves nothing behind, ten times', async () => {
  const name = regionName();
  const random = randomness();
  const options = { ...SMALL, workers: 2, eviction: 's3-fifo' } as const;
  let server: Peer = await startServerProcess(options, name);
  const client = await openClient({ name, reconnectTimeoutMs: 60_000 });
  const last = new Map<string, number>();
  const over = new AbortController();
  const write = async (): Promise<void> => {
    for (let round = 0; !over.signal.aborted; round++) {
      const pending: Promise<unknown>[] = [];
      for (let i = 0; i < 64; i++) {
        const key = `key ${random(20_000)}`;
        const version = round * 64 + i;
        last.set(key, version);
        pending.push(client.set(key, `${key} ${version} ${'x'.repeat(random(3000))}`));
      }
      await Promise.all(pending);
    }
  };
  const writing = write();
  const evicted = async () => ((await server.tell('stats')) as KvsStatistics).eviction.evicted;
  while ((await evicted()) <= 100);
  for (let kill = 0; kill < 10; kill++) {
    // Not to wait for anything: it dies at a moment of chance.
    await setTimeout(random(60));
    await server.kill();
    server = await startServerProcess(options, name);
  }
  over.abort();
  await writing;
  let entries = 0;
  for await (const [key, value] of client.entries()) {
    expect(value.startsWith(`${key} ${last.get(key)} `), `${key}: ${value.slice(0, 40)}`).toBe(true);
    entries++;
  }
  expect(entries).toBeGreaterThan(500);
  expect(await evicted()).toBeGreaterThan(100);
  await client.close();
  await auditedAtRest(name);
});
