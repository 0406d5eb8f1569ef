/**
 * What the cache of decoded values keeps, and for how long.
 * Seen to fail when: keys that were looked up in the older generation are moved to the younger one uncounted; values
 * rewritten are counted twice; bytes do not count; the yield is not judged; a pause never ends.
 */
import { expect, test } from 'vitest';

import { type CachedValue, MAX_CACHED_BYTES, ValueCache } from '#dist/client/value-cache.js';

const cached = (value: string, bytes = value.length): CachedValue<string> => ({
  bucketWord: 1,
  entryWord: 2,
  version: 3,
  expiresAt: 0,
  value,
  bytes,
});

/** Looks a key up as a reader does whose values never change. */
function read(cache: ValueCache<string>, key: string, bytes?: number): boolean {
  if (cache.get(key) === undefined) {
    cache.put(key, cached(key, bytes));
    return false;
  }
  cache.hit();
  return true;
}

test.each([1, 2, 3, 100])('it keeps at most %i entries, however often they are asked for', (entries) => {
  const cache = new ValueCache<string>(entries);
  const keys: string[] = [];
  for (let round = 0; round < 20; round++) {
    // All that it has, over and over, and half as many new ones.
    for (const key of keys.slice(-entries)) if (cache.get(key) !== undefined) cache.hit();
    for (let i = 0; i < Math.ceil(entries / 2); i++) {
      keys.push(`${round} ${i}`);
      cache.put(keys.at(-1)!, cached('value'));
      expect(cache.size).toBeLessThanOrEqual(entries);
    }
  }
  expect(cache.size).toBeGreaterThan(0);
});

test('it keeps at most some 16 MiB, and nothing larger than 256 KiB', () => {
  const cache = new ValueCache<string>(2 ** 20);
  const bytes = MAX_CACHED_BYTES;
  cache.put('large', cached('', bytes + 1));
  expect(cache.get('large')).toBeUndefined();
  const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`);
  for (const key of keys) {
    read(cache, key, bytes);
    expect(cache.size * bytes).toBeLessThanOrEqual(16 * 2 ** 20);
  }
  expect(cache.size * bytes).toBeGreaterThan(7 * 2 ** 20);
  // Asking for what is there does not make it more.
  for (let round = 0; round < 10; round++) for (const key of keys) read(cache, key, bytes);
  expect(cache.size * bytes).toBeLessThanOrEqual(16 * 2 ** 20);
});

test('a key that is written again and again does not push the others out', () => {
  const cache = new ValueCache<string>(100);
  cache.put('other', cached('stays'));
  for (let i = 0; i < 1000; i++) cache.put('hot', cached('x', 100_000));
  expect(cache.get('other')?.value).toBe('stays');
});

test('keys that come again stay, and those that do not go', () => {
  const cache = new ValueCache<string>(100);
  read(cache, 'hot');
  for (let i = 0; i < 3000; i++) {
    read(cache, `cold ${i}`);
    if (i % 20 === 0) expect(read(cache, 'hot')).toBe(true);
  }
});

test('it steps aside where keys do not come again, and comes back', () => {
  const cache = new ValueCache<string>(1000);
  let next = 0;
  const isOn = () => read(cache, 'probe') || read(cache, 'probe');
  expect(isOn()).toBe(true);
  while (next < 100_000 && isOn()) for (let i = 0; i < 100; i++) read(cache, `key ${next++}`);
  expect(next).toBeLessThan(10_000);
  let lookups = 0;
  while (lookups < 1_000_000 && !isOn()) lookups++;
  expect(lookups).toBeLessThan(1_000_000);
  expect(lookups).toBeGreaterThan(10_000);
  for (let i = 0; i < 5000; i++) expect(read(cache, `hot ${i % 10}`)).toBe(i >= 10);
});

test('nothing is left after clear()', () => {
  const cache = new ValueCache<string>(2);
  for (const key of ['a', 'b']) cache.put(key, cached(key));
  cache.clear();
  expect([cache.get('a'), cache.get('b')]).toEqual([undefined, undefined]);
});
