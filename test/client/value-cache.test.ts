/**
 * What the cache of decoded values keeps, and for how long.
 * Seen to fail when: values rewritten are counted twice; the bytes of an evicted one stay counted; bytes do not count; what
 * was looked up is evicted like the rest; everything new gets in while it is full; an evicted one is found; the yield
 * is not judged; a pause never ends; pauses do not grow.
 */
import { expect, test } from 'vitest';

import { randomness } from '../fixtures/service.js';
import { MAX_CACHE_BYTES, MAX_CACHED_BYTES, ValueCache } from '#dist/client/value-cache.js';

const ORIGIN = { bucketWord: 1, entryWord: 2, version: 3, expiresAt: 0 };

/** Looks a key up as a reader does whose values never change. @returns whether it hit */
function read(cache: ValueCache<string>, key: string, bytes = key.length): boolean {
  const found = cache.get(key);
  if (found === undefined) {
    cache.put(key, ORIGIN, key, bytes);
    return false;
  }
  cache.hit();
  expect([found.value, found.bytes]).toEqual([key, bytes]);
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
      cache.put(keys.at(-1)!, ORIGIN, 'value', 5);
      expect(cache.size).toBeLessThanOrEqual(entries);
    }
  }
  expect(cache.size).toBeGreaterThan(0);
});

test('it keeps at most some 16 MiB, and nothing larger than 256 KiB', () => {
  const cache = new ValueCache<string>(2 ** 20);
  const bytes = MAX_CACHED_BYTES;
  cache.put('large', ORIGIN, '', bytes + 1);
  expect(cache.get('large')).toBeUndefined();
  const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`);
  for (const key of keys) {
    read(cache, key, bytes);
    expect(cache.size * bytes).toBeLessThanOrEqual(MAX_CACHE_BYTES);
  }
  expect(cache.size * bytes).toBeGreaterThan(MAX_CACHE_BYTES / 2);
  // Asking for what is there does not make it more.
  for (let round = 0; round < 10; round++) for (const key of keys) read(cache, key, bytes);
  expect(cache.size * bytes).toBeLessThanOrEqual(MAX_CACHE_BYTES);
});

test('a key that is written again and again does not push the others out', () => {
  const cache = new ValueCache<string>(100);
  cache.put('other', ORIGIN, 'stays', 5);
  for (let i = 0; i < 1000; i++) cache.put('hot', ORIGIN, 'x', 100_000);
  expect(cache.get('other')?.value).toBe('stays');
});

test('what was put, rewritten and evicted leaves all of the room again', () => {
  const random = randomness();
  const cache = new ValueCache<string>(100);
  for (let i = 0; i < 20_000; i++) {
    const key = `key ${random(300)}`;
    const bytes = random(MAX_CACHED_BYTES);
    if (i % 8 === 0 && cache.get(key) !== undefined) cache.hit();
    cache.put(key, ORIGIN, 'value', bytes);
    expect(cache.size).toBeLessThanOrEqual(100);
  }
  expect(cache.size).toBeGreaterThan(MAX_CACHE_BYTES / MAX_CACHED_BYTES / 2);
  const found = Array.from({ length: 300 }, (_, i) => cache.get(`key ${i}`)).filter((value) => value !== undefined);
  expect(found.length).toBe(cache.size);
  for (let i = 0; i < 1_200_000; i++) cache.put(`small ${i}`, ORIGIN, 'x', 1);
  expect(cache.size).toBe(100);
});

test('a walk over many keys leaves most of those that come again', () => {
  const cache = new ValueCache<string>(100);
  const hot = Array.from({ length: 80 }, (_, i) => `hot ${i}`);
  for (const key of [...hot, ...hot]) read(cache, key);
  for (let i = 0; i < 400; i++) read(cache, `walked over ${i}`);
  // One in eight gets in, and 20 of those 50 find room.
  expect(hot.filter((key) => cache.get(key) !== undefined).length).toBeGreaterThanOrEqual(50);
});

test('keys that come again stay, and those that do not go', () => {
  const cache = new ValueCache<string>(100);
  read(cache, 'hot');
  for (let i = 0; i < 3000; i++) {
    read(cache, `cold ${i}`);
    if (i % 20 === 0) expect(read(cache, 'hot')).toBe(true);
  }
});

test('it steps aside where keys do not come again, longer each time, and comes back', () => {
  const cache = new ValueCache<string>(1000);
  let next = 0;
  const isOn = () => read(cache, 'probe') || read(cache, 'probe');
  const untilOff = () => {
    const first = next;
    while (isOn() && next < first + 100_000) for (let i = 0; i < 100; i++) read(cache, `key ${next++}`);
    return next - first;
  };
  const untilOn = () => {
    let lookups = 0;
    while (lookups < 1_000_000 && !isOn()) lookups += 2;
    return lookups;
  };
  expect(untilOff()).toBeLessThan(10_000);
  const paused = untilOn();
  expect(paused).toBeGreaterThan(10_000);
  expect(untilOff()).toBeLessThan(10_000);
  expect(untilOn() / paused).toBeCloseTo(2, 1);
  for (let i = 0; i < 10_000; i++) expect(read(cache, `hot ${i % 10}`)).toBe(i >= 10);
  // It has been worth it since.
  expect(untilOff()).toBeLessThan(10_000);
  expect(untilOn() / paused).toBeCloseTo(1, 1);
});

test('nothing is left after clear()', () => {
  const cache = new ValueCache<string>(2);
  for (const key of ['a', 'b']) cache.put(key, ORIGIN, key, 1);
  cache.clear();
  expect([cache.get('a'), cache.get('b')]).toEqual([undefined, undefined]);
});
