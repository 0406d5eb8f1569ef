/**
 * keys() and entries(), in the store itself and through the server: each key that is there throughout comes exactly once,
 * whatever others do meanwhile.
 */
import { describe, expect, test } from 'vitest';

import { KvsClient } from '#dist/index.js';

import { closing, failureOf, openClient, randomness, shareServer } from '../fixtures/service.js';

type Reads = 'direct' | 'server';

const name = shareServer({ workers: 4 });

async function setUp(reads: Reads): Promise<KvsClient> {
  const client = await openClient({ name, reads });
  await client.flush();
  return client;
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
}

describe.each<Reads>(['direct', 'server'])('%s', (reads) => {
  test('an empty store has no keys', async () => {
    const client = await setUp(reads);
    expect(await collect(client.keys())).toEqual([]);
    expect([...client.entriesSync()]).toEqual([]);
  });

  test('keys and entries of a prefix, as text and as bytes, awaited and blocking', async () => {
    const client = await setUp(reads);
    const raw = await openClient({ name, codec: 'buffer', keyEncoding: 'buffer', reads });
    const entries = new Map(Array.from({ length: 3000 }, (_, i) => [`${['user', 'ürün', 'u'][i % 3]}:${i}`, `v${i}`]));
    await client.mset(entries);
    for (const prefix of ['', 'u', 'user:', 'ü', 'ürün:1', 'user:2999', 'none', 'user:0']) {
      const expected = [...entries.keys()].filter((key) => key.startsWith(prefix)).toSorted();
      expect((await collect(client.keys(prefix))).toSorted()).toEqual(expected);
      expect([...client.keysSync(prefix)].toSorted()).toEqual(expected);
      expect((await collect(raw.keys(Buffer.from(prefix)))).map(String).toSorted()).toEqual(expected);
      const pairs = expected.map((key) => [key, entries.get(key)]);
      const byKey = ([a]: [string, string], [b]: [string, string]) => (a < b ? -1 : 1);
      expect((await collect(client.entries(prefix))).toSorted(byKey)).toEqual(pairs);
      expect([...client.entriesSync(prefix)].toSorted(byKey)).toEqual(pairs);
    }
    // A prefix is bytes: it may end within a character.
    const half = Buffer.from('ü').subarray(0, 1);
    expect((await collect(raw.keys(half))).length).toBe(1000);
  });

  test('keys as long as they may be, and many in one bucket’s page', async () => {
    const client = await setUp(reads);
    const keys = Array.from({ length: 2000 }, (_, i) => `${i}`.padEnd(1024, 'x'));
    await client.mset(keys.map((key): [string, string] => [key, '']));
    const found = await collect(client.keys());
    expect(found.length).toBe(2000);
    expect(new Set(found)).toEqual(new Set(keys));
  });

  test('a key that is not text is an error for who asked for text, and bytes for who did not', async () => {
    const client = await setUp(reads);
    const raw = await openClient({ name, keyEncoding: 'buffer', reads });
    await client.set(Buffer.from([0xff, 0xfe]), 'v');
    const failure = await failureOf(collect(client.keys()));
    expect(failure.code).toBe('ERR_KVS_CODEC');
    expect(failure.message).toContain("keyEncoding 'buffer'");
    expect(await collect(raw.entries())).toEqual([[Buffer.from([0xff, 0xfe]), 'v']]);
  });

  test('keys that stay come exactly once while others come, go, grow and shrink', async () => {
    const client = await setUp(reads);
    const others = [
      await KvsClient.connect({ name, timeoutMs: 60_000 }),
      await KvsClient.connect({ name, timeoutMs: 60_000 }),
    ].map(closing);
    const random = randomness();
    const stay = Array.from({ length: 2000 }, (_, i) => `stay ${i}`);
    await client.mset(stay.map((key): [string, string] => [key, key]));
    const over = new AbortController();
    const change = async (other: KvsClient): Promise<void> => {
      while (!over.signal.aborted) {
        const calls = Array.from({ length: 50 }, () => {
          const fleeting = `fleeting ${random(3000)}`;
          if (random(3) === 0) return other.del(fleeting);
          if (random(3) === 0) {
            // Written again, larger or smaller: moves to another place in memory.
            const key = stay[random(stay.length)];
            return other.set(key, key.repeat(1 + random(40)));
          }
          return other.set(fleeting, fleeting);
        });
        await Promise.all(calls);
      }
    };
    const changes = others.map(change);
    for (let round = 0; round < 15; round++) {
      const keys = await collect(client.keys());
      const seen = new Set(keys);
      expect(keys.filter((key) => key.startsWith('stay')).length).toBe(stay.length);
      expect(stay.filter((key) => !seen.has(key))).toEqual([]);
      expect(seen.size, 'each key once').toBe(keys.length);
      const entries = await collect(client.entries('stay'));
      expect(entries.length).toBe(stay.length);
      expect(entries.every(([key, value]) => value.startsWith(key) && value.length % key.length === 0)).toBe(true);
    }
    over.abort();
    await Promise.all(changes);
  });

  test('entries with version and expiry, beside a writer: each as it was at one moment', async () => {
    const client = await setUp(reads);
    const other = await openClient({ name });
    const keys = Array.from({ length: 1000 }, (_, i) => `key ${i}`);
    const expiresAt = Date.now() + 3_600_000;
    await client.mset(keys.map((key): [string, string] => [key, 'stays']));
    const over = new AbortController();
    const change = async (): Promise<void> => {
      for (let round = 0; !over.signal.aborted; round++) {
        const expires = round % 2 === 0;
        await other.mset(
          keys.map((key): [string, string] => [key, expires ? 'expires'.repeat(20) : 'stays']),
          expires ? { expiresAt } : {},
        );
      }
    };
    const changes = change();
    const known = new Map<string, number>();
    const kinds = new Set<string>();
    for (let round = 0; round < 15 || kinds.size < 2; round++) {
      const found = await collect(client.versionedEntries('key '));
      expect(found.map(([key]) => key).toSorted()).toEqual(keys.toSorted());
      for (const [key, entry] of found) {
        kinds.add(entry.value.slice(0, 5));
        expect(entry.version).toBeGreaterThanOrEqual(known.get(key) ?? 1);
        known.set(key, entry.version);
        expect(entry.expiresAt === undefined ? 'stays' : 'expires'.repeat(20)).toBe(entry.value);
        if (entry.expiresAt !== undefined) expect(Math.abs(entry.expiresAt - expiresAt)).toBeLessThanOrEqual(2);
      }
    }
    over.abort();
    await changes;
  });

  test('an iteration can be left early and others begun beside it', async () => {
    const client = await setUp(reads);
    await client.mset(Array.from({ length: 1000 }, (_, i): [string, string] => [`${i}`, '']));
    for await (const key of client.keys()) {
      expect(Number(key)).toBeLessThan(1000);
      break;
    }
    const walks = await Promise.all([collect(client.keys()), collect(client.keys('1')), collect(client.entries('9'))]);
    expect(walks.map((walk) => walk.length)).toEqual([1000, 111, 111]);
    expect((await client.stats()).slots.inUse).toBe(1);
  });
});

test('an mget of what can be walked only once is read in the store, too', async () => {
  const client = await setUp('direct');
  await client.mset({ a: '1', b: '2' });
  const gets = (): Promise<number> => client.stats().then(({ operations }) => operations['mget']?.count ?? 0);
  const before = await gets();
  const walk = function* () {
    yield* ['a', 'none', 'b'];
  };
  expect(await client.mget(walk())).toEqual(['1', undefined, '2']);
  expect(client.mgetSync(new Set(['b', 'a']))).toEqual(['2', '1']);
  expect(await gets()).toBe(before);
  await expect(client.mget('ab')).rejects.toThrow('keys must be an iterable of keys');
  expect(() => client.mgetSync(5 as never)).toThrow('keys must be an iterable of keys');
});

test('a walk comes after what the client itself has issued', async () => {
  const client = await setUp('direct');
  for (let i = 0; i < 30; i++) {
    const writes = [client.set(`w${i}`, `${i}`), client.set('last', `${i}`), client.del(`w${i - 1}`)];
    expect(new Map(await collect(client.entries()))).toEqual(
      new Map([
        [`w${i}`, `${i}`],
        ['last', `${i}`],
      ]),
    );
    await Promise.all(writes);
  }
});

test('a walk lets the event loop turn between its pages', async () => {
  const client = await setUp('direct');
  const count = 20_000;
  await client.mset(Array.from({ length: count }, (_, i): [string, string] => [`key ${i}`, '']));
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  expect((await collect(client.keys())).length).toBe(count);
  isOver = true;
  expect(turns).toBeGreaterThan(count / 1024);
});
