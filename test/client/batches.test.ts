/** Operations on many keys: any number of them, and answers larger than one hand-off can carry. */
import { describe, expect, test } from 'vitest';

import { KvsClient } from '#dist/index.js';

import { closing, failureOf, openClient, shareServer, startServer } from '../fixtures/service.js';

const name = shareServer({ maxMemory: 64 * 2 ** 20, workers: 4 });
const COUNT = 10_000;
const keys = Array.from({ length: COUNT }, (_, i) => `key ${i}`);

describe.each(['server', 'direct'] as const)('%s reads', (reads) => {
  test('10,000 items, some of them missing', async () => {
    const client = await openClient({ name, reads });
    await client.flush();
    expect(await client.mset(keys.map((key, i): [string, string] => [key, `value ${i}`]))).toBe(true);
    expect(await client.size()).toBe(COUNT);
    expect(await client.mget(keys)).toEqual(keys.map((_, i) => `value ${i}`));
    expect(client.mgetSync(keys.toReversed())).toEqual(keys.map((_, i) => `value ${COUNT - 1 - i}`));
    expect(await client.mdel(keys.filter((_, i) => i % 3 === 0))).toBe(Math.ceil(COUNT / 3));
    expect(await client.submit('mget', keys)).toEqual(keys.map((_, i) => (i % 3 === 0 ? undefined : `value ${i}`)));
    expect(client.mdelSync(keys)).toBe(COUNT - Math.ceil(COUNT / 3));
    expect(client.sizeSync()).toBe(0);
    expect(client.msetSync(Object.fromEntries(keys.map((key) => [key, key])))).toBe(true);
    expect(await client.mget(keys)).toEqual(keys);
  });

  test('an answer that takes many hand-offs', async () => {
    const client = await openClient({ name, reads });
    await client.flush();
    const value = (i: number) => `${i} `.repeat(20_000).slice(0, 60_000 + i);
    const some = keys.slice(0, 300);
    await client.mset(some.map((key, i): [string, string] => [key, value(i)]));
    const values = await client.mget([...some, 'missing', ...some]);
    expect(values.length).toBe(601);
    expect(values.every((found, i) => found === (i === 300 ? undefined : value(i % 301)))).toBe(true);
    expect(client.mgetSync(some).every((found, i) => found === value(i))).toBe(true);
    expect((await client.stats()).memory.arenaUsedBytes).toBe(0);
  });
});

test('one item, many equal items, and items of very different sizes', async () => {
  const client = await openClient({ name, codec: 'buffer' });
  await client.flush();
  await client.mset([['one', Buffer.from('1')]]);
  expect(await client.mget(['one'])).toEqual([Buffer.from('1')]);
  const same = Array.from({ length: 5000 }, (_, i): [string, Buffer] => ['same', Buffer.from(`${i}`)]);
  await client.mset(same);
  expect((await client.get('same'))?.toString()).toBe('4999');
  expect(await client.mdel(same.map(([key]) => key))).toBe(1);
  const sizes = [0, 1_000_000, 1, 130_000, 131_072, 3, 960, 200_000, 0];
  await client.mset(sizes.map((size, i): [string, Buffer] => [`size ${i}`, Buffer.alloc(size, i)]));
  const found = await client.mget(sizes.map((_, i) => `size ${i}`));
  expect(found.map((value, i) => value?.equals(Buffer.alloc(sizes[i], i)))).toEqual(sizes.map(() => true));
});

test('a batch that fails in the middle says that some of it may have been executed', async () => {
  const server = await startServer({ maxMemory: 4 * 2 ** 20 });
  const client = await openClient({ name: server.name });
  const entries = Array.from({ length: 200 }, (_, i): [string, string] => [`${i}`, `${i}`.repeat(20_000)]);
  const failure = await failureOf(client.mset(entries));
  expect(failure).toMatchObject({ code: 'ERR_KVS_OUT_OF_MEMORY', executed: 'unknown' });
  expect(failure.message).toContain('of a batch: other items may have taken effect');
  const values = await client.mget(entries.map(([key]) => key));
  expect(values.filter((value) => value === undefined).length).toBeGreaterThan(0);
  for (const [i, value] of values.entries()) if (value !== undefined) expect(value === entries[i][1]).toBe(true);
  expect(await client.size()).toBe(values.filter((value) => value !== undefined).length);
});

test('where the arena is small, batches with large answers take turns instead of blocking each other', async () => {
  const server = await startServer({ maxMemory: 4 * 2 ** 20, maxValueBytes: 1000 });
  const client = closing(await KvsClient.connect({ name: server.name, timeoutMs: 30_000 }));
  const some = Array.from({ length: 1500 }, (_, i) => `${i}`.padEnd(200, 'k'));
  const value = (key: string) => key.repeat(4).slice(0, 800);
  await client.mset(some.map((key): [string, string] => [key, value(key)]));
  const all = await Promise.all(Array.from({ length: 4 }, () => client.mget(some)));
  for (const values of all) expect(values.every((found, i) => found === value(some[i]))).toBe(true);
});
