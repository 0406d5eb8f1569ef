/** A full store refuses and stays as it is; a full arena makes callers wait. */
import { expect, test } from 'vitest';

import { KvsClient, type KvsError } from '#dist/index.js';

import { closing, connect, failureOf, openClient, startServer } from '../fixtures/service.js';

const FULL = { maxMemory: 4 * 2 ** 20 };

/** Fills the store. @returns the keys that are in it */
async function fill(client: KvsClient, valueChars: number): Promise<string[]> {
  const keys: string[] = [];
  for (let i = 0; ; i++) {
    try {
      await client.set(`fill ${i}`, `${i} `.padEnd(valueChars, 'f'));
      keys.push(`fill ${i}`);
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_KVS_OUT_OF_MEMORY', executed: 'no' });
      expect((error as KvsError).message).toContain('larger maxMemory');
      return keys;
    }
  }
}

test.each([100, 3000, 100_000])(
  'a store full of values of %i bytes refuses writes and changes nothing',
  async (size) => {
    const server = await startServer(FULL);
    const client = await connect(server.name);
    const keys = await fill(client, size);
    expect(keys.length * size).toBeGreaterThan(FULL.maxMemory / 3);
    const before = await client.getEntry('fill 0');
    const large = 'x'.repeat(500_000);
    const writes = [
      client.set('fill 0', large),
      client.post('new', large),
      client.cas('fill 0', before?.version ?? 0, large),
      client.mset({ new: large }),
      () => client.setSync('fill 0', large),
    ];
    for (const write of writes) {
      expect(await failureOf(write)).toMatchObject({ code: 'ERR_KVS_OUT_OF_MEMORY', executed: 'no' });
    }
    expect(await client.post('fill 0', large)).toBe(false);
    expect(await client.getEntry('fill 0')).toEqual(before);
    expect(await client.exists('new')).toBe(false);
    expect(await client.size()).toBe(keys.length);
    const values = await client.mget(keys);
    expect(values.every((value, i) => value === `${i} `.padEnd(size, 'f'))).toBe(true);

    // Deletes make room again: for the same, and for all of another size.
    expect(await client.mdel(keys.slice(0, Math.ceil(keys.length / 2)))).toBe(Math.ceil(keys.length / 2));
    for (const key of keys.slice(0, Math.floor(keys.length / 3)))
      expect(await client.set(key, 'y'.repeat(size))).toBe(true);
    await client.flush();
    const again = await fill(client, size);
    expect(again.length).toBeGreaterThanOrEqual(keys.length - 1);
    await client.flush();
    expect((await fill(client, 20_000)).length).toBeGreaterThan(150);
  },
);

test('large values by many clients wait for arena room rather than fail', async () => {
  const server = await startServer({ maxMemory: 64 * 2 ** 20, maxValueBytes: 2 ** 20 });
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(server.name)));
  expect(server.stats().memory.arenaBytes).toBeLessThan(5 * 2 ** 20);
  const value = (i: number) => `${i} `.padEnd(1_000_000 - i, 'v');
  const calls = Array.from({ length: 40 }, (_, i) => clients[i % 4].set(`${i % 8}`, value(i)));
  expect(await Promise.all(calls)).toEqual(calls.map(() => true));
  // Forty answers of a megabyte each.
  const reads = Array.from({ length: 40 }, (_, i) => clients[i % 4].submit('get', `${i % 8}`));
  const values = await Promise.all(reads);
  expect(values.every((found, i) => found?.startsWith(`${32 + (i % 8)} `) && found.length === 999_968 - (i % 8))).toBe(
    true,
  );
  expect((await clients[0].stats()).memory.arenaUsedBytes).toBe(0);
});

test('a blocking read gets its answer although answers that were not taken fill the arena', async () => {
  const server = await startServer({ maxMemory: 64 * 2 ** 20, maxValueBytes: 2 ** 20 });
  const client = await openClient({ name: server.name, reads: 'server' });
  const value = 'v'.repeat(1_000_000);
  await client.set('k', value);
  const reads = Array.from({ length: 12 }, () => client.get('k'));
  expect(client.getSync('k') === value).toBe(true);
  expect((await Promise.all(reads)).every((found) => found === value)).toBe(true);
});

test('requests that fill their part of the arena still get their answers', async () => {
  // 64 chunks; each request takes one for its key, each answer one for its value.
  const server = await startServer({ maxMemory: 4 * 2 ** 20, maxValueBytes: 2000, slots: 256 });
  const client = closing(await KvsClient.connect({ name: server.name, timeoutMs: 30_000, reads: 'server' }));
  const keys = Array.from({ length: 200 }, (_, i) => `${i}`.padEnd(1020, 'k'));
  await Promise.all(keys.map((key) => client.set(key, key.repeat(2).slice(0, 2000))));
  for (let round = 0; round < 3; round++) {
    const values = await Promise.all(keys.map((key) => client.get(key)));
    expect(values.every((value, i) => value === keys[i].repeat(2).slice(0, 2000))).toBe(true);
  }
});
