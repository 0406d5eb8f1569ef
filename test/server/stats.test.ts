/** What stats() says is what happened. */
import { expect, test } from 'vitest';

import { KvsClient, VERSION } from '#dist/index.js';

import { closing, connect, failureOf, startServer, statsUntil } from '../fixtures/service.js';

test('operations and errors are counted by name', async () => {
  const server = await startServer({ workers: 4 });
  const client = await connect(server.name);
  expect((await client.stats()).operations).toEqual({ stats: { count: 1, errors: 0 } });
  await Promise.all(Array.from({ length: 500 }, (_, i) => client.set(`${i % 10}`, 'v')));
  for (let i = 0; i < 30; i++) client.getSync(`${i % 10}`);
  await client.mget(['1', '2', '3']);
  await client.post('1', 'v');
  await failureOf(client.incr('1'));
  const { operations } = await client.stats();
  expect(operations).toMatchObject({
    set: { count: 500, errors: 0 },
    get: { count: 30, errors: 0 },
    mget: { count: 1, errors: 0 },
    post: { count: 1, errors: 0 },
    incr: { count: 1, errors: 1 },
    stats: { count: 2, errors: 0 },
  });
  expect(Object.keys(operations).toSorted()).toEqual(['get', 'incr', 'mget', 'post', 'set', 'stats']);
  expect(server.stats().operations).toEqual(operations);
});

test('identity, time, workers and latency', async () => {
  const server = await startServer({ workers: 3 });
  const client = await connect(server.name);
  const before = await client.stats();
  expect(before).toMatchObject({ name: server.name, version: VERSION, pid: process.pid, workers: 3, clients: 1 });
  for (let i = 0; i < 1600; i++) client.setSync('k', 'v');
  const after = await client.stats();
  expect(after.uptimeMs).toBeGreaterThanOrEqual(before.uptimeMs);
  const { count, mean, p50, p99, p999, max } = after.latencyNs;
  // Every 16th per worker.
  expect(count).toBeGreaterThanOrEqual(Math.floor(1600 / 16) - 3);
  expect(count).toBeLessThanOrEqual(Math.ceil(1600 / 16) + 6);
  expect(mean).toBeGreaterThan(0);
  expect(p50).toBeGreaterThan(0);
  expect([p50, p99, p999, max]).toEqual([p50, p99, p999, max].toSorted((a, b) => a - b));
});

test('entries and memory follow what is stored', async () => {
  const server = await startServer({ maxMemory: 16 * 2 ** 20 });
  const client = await connect(server.name);
  const empty = await client.stats();
  expect(empty.memory.totalBytes).toBeGreaterThan(14 * 2 ** 20);
  expect(empty.memory.totalBytes).toBeLessThanOrEqual(16 * 2 ** 20);
  expect(empty.memory.usedBytes + empty.memory.freeBytes).toBe(empty.memory.totalBytes);
  await client.mset(Array.from({ length: 100 }, (_, i): [string, string] => [`${i}`, 'x'.repeat(50_000)]));
  const full = await client.stats();
  expect(full.entries).toBe(100);
  expect(server.size).toBe(100);
  expect(full.memory.usedBytes - empty.memory.usedBytes).toBeGreaterThanOrEqual(100 * 50_000);
  expect(full.memory.usedBytes - empty.memory.usedBytes).toBeLessThan(100 * 52_000);
  expect(full.memory.usedBytes + full.memory.freeBytes).toBe(full.memory.totalBytes);
  expect(full.memory.arenaBytes).toBeGreaterThanOrEqual(4 * 2 ** 20);
  await client.flush();
  const flushed = await client.stats();
  expect(flushed.entries).toBe(0);
  expect(flushed.memory.usedBytes - empty.memory.usedBytes).toBeLessThan(70_000);
});

test('slots and clients in use', async () => {
  const server = await startServer({ slots: 64 });
  const client = await connect(server.name);
  expect((await client.stats()).slots).toEqual({ total: 64, inUse: 1 });
  const others = await Promise.all(
    Array.from({ length: 5 }, () => KvsClient.connect({ name: server.name, timeoutMs: 60_000 })),
  );
  expect((await client.stats()).clients).toBe(6);
  // Done, and not taken as long as this thread does nothing else.
  const calls = Array.from({ length: 20 }, (_, i) => others[0].set(`${i}`, 'v'));
  const stats = client.statsSync();
  expect(stats.slots.inUse).toBe(21);
  await Promise.all(calls);
  await Promise.all(others.map(async (other) => closing(other).close()));
  await statsUntil(client, ({ slots, clients }) => slots.inUse === 1 && clients === 1);
});
