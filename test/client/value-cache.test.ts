/**
 * What the cache of decoded values keeps, and for how long.
 * Seen to fail when: values rewritten are counted twice; the bytes of an evicted one stay counted, or those of its key; bytes
 * do not count; an evicted one is found; what was rewritten keeps its old value, version or expiry; clear() leaves bytes
 * behind; what was hit is evicted like the rest; everything new gets in while it is full, or every eighth; the yield is not
 * judged, or before it is warm, also after clear(); a pause never ends; pauses do not grow, or without end.
 */
import { describe, expect, test } from 'vitest';

import { ENTRY_BYTES, MAX_CACHE_BYTES, MAX_CACHED_BYTES, type Origin, ValueCache } from '#dist/client/value-cache.js';

import { randomness } from '../fixtures/service.js';

const ORIGIN: Origin = { bucketWord: 1, entryWord: 2, version: 3, expiresAt: 0 };

/** Looks a key up as a reader does whose values never change. @returns whether it hit */
function read(cache: ValueCache<string>, key: string, bytes = key.length): boolean {
  const found = cache.get(key);
  if (found === undefined) {
    cache.put(key, ORIGIN, key, bytes);
    return false;
  }
  cache.hit(found);
  if (found.value !== key || found.bytes !== bytes) expect.fail(`${key}: found ${found.value} of ${found.bytes} bytes`);
  return true;
}

describe.each([
  { entries: 1, keys: 3, maxBytes: 100 },
  { entries: 2, keys: 2, maxBytes: MAX_CACHED_BYTES + 10 },
  { entries: 100, keys: 300, maxBytes: 100 },
  { entries: 1000, keys: 3000, maxBytes: MAX_CACHED_BYTES + 100 },
])('$entries entries, $keys keys, values of up to $maxBytes bytes', ({ entries, keys, maxBytes }) => {
  test('what is found is what was put last, and never more than there may be', () => {
    const random = randomness();
    const cache = new ValueCache<number>(entries);
    const model = new Map<string, Origin & { value: number; bytes: number }>();
    const names = Array.from({ length: keys }, (_, i) => `${i}`.repeat(1 + (i % 5)));
    let hits = 0;
    for (let step = 0; step < 8000; step++) {
      const key = names[random(random(2) === 0 ? keys : Math.ceil(keys / 10))];
      if (random(5000) === 0 && step < 4000) cache.clear();
      const found = cache.get(key);
      if (found !== undefined) {
        const { bucketWord, entryWord, version, expiresAt, value, bytes } = found;
        if (step % 8 === 0) expect({ bucketWord, entryWord, version, expiresAt, value, bytes }).toEqual(model.get(key));
        hits++;
      }
      if (found !== undefined && random(4) > 0) {
        cache.hit(found);
      } else {
        const bytes = random(maxBytes);
        const origin = { bucketWord: step, entryWord: -step, version: step + 0.5, expiresAt: 2 * step };
        cache.put(key, origin, step, bytes);
        model.set(key, { ...origin, value: step, bytes });
      }
      if (cache.size > entries) expect.fail(`${cache.size} entries`);
    }
    expect(hits).toBeGreaterThan(500);
    const kept = names.map((name) => cache.get(name)).filter((one) => one !== undefined);
    expect(kept.length).toBeLessThanOrEqual(entries);
    expect(kept.length).toBeGreaterThan(0);
    const bytes = kept.reduce((sum, one) => sum + one.key.length + one.bytes + ENTRY_BYTES, 0);
    expect(bytes).toBeLessThanOrEqual(MAX_CACHE_BYTES);
    for (const one of kept) expect(one.bytes).toBeLessThanOrEqual(MAX_CACHED_BYTES);
  });
});

test('it is filled with what there is room for', () => {
  const cache = new ValueCache<string>(2 ** 20);
  const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`);
  for (const key of keys) read(cache, key, MAX_CACHED_BYTES);
  expect(cache.size).toBe(Math.floor(MAX_CACHE_BYTES / (MAX_CACHED_BYTES + ENTRY_BYTES + 5)));
  cache.clear();
  expect(cache.size).toBe(0);
  for (let i = 0; i < 300_000; i++) cache.put(`${i}`.padStart(32), ORIGIN, 'x', 96);
  // While there is less room than for the largest value, some of what is new takes the place of something else.
  const most = MAX_CACHE_BYTES / (96 + 32 + ENTRY_BYTES);
  expect(cache.size).toBeLessThanOrEqual(most);
  expect(cache.size).toBeGreaterThan(0.98 * (most - MAX_CACHED_BYTES / (96 + 32 + ENTRY_BYTES)));
});

test('what was put, rewritten and evicted leaves all of the room again', () => {
  const random = randomness();
  const cache = new ValueCache<string>(100);
  for (let i = 0; i < 20_000; i++) cache.put(`key ${random(300)}`, ORIGIN, 'value', random(MAX_CACHED_BYTES));
  for (let i = 0; i < 1_200_000; i++) cache.put(`small ${i}`, ORIGIN, 'x', 1);
  expect(cache.size).toBe(100);
});

test('a key that is written again and again does not push the others out', () => {
  const cache = new ValueCache<string>(100);
  cache.put('other', ORIGIN, 'stays', 5);
  for (let i = 0; i < 1000; i++) cache.put('hot', ORIGIN, 'x', 100_000);
  expect(cache.get('other')?.value).toBe('stays');
});

test('a value that has become too large leaves nothing of the one before', () => {
  const cache = new ValueCache<string>(3);
  for (const key of ['a', 'b', 'c']) cache.put(key, ORIGIN, key, 1);
  cache.put('a', ORIGIN, 'large', MAX_CACHED_BYTES + 1);
  expect(cache.size).toBe(2);
  expect(['a', 'b', 'c'].map((key) => cache.get(key)?.value)).toEqual([undefined, 'b', 'c']);
});

test.each([
  { full: 'of entries', entries: 100, count: 80, bytes: 1, walk: 400 },
  { full: 'of bytes', entries: 10_000, count: 60, bytes: MAX_CACHED_BYTES, walk: 200 },
])('a walk over many keys leaves half of those that come again, full $full', ({ entries, count, bytes, walk }) => {
  const cache = new ValueCache<string>(entries);
  const hot = Array.from({ length: count }, (_, i) => `hot ${i}`);
  for (const key of [...hot, ...hot]) read(cache, key, bytes);
  // One in eight gets in.
  for (let i = 0; i < walk; i++) read(cache, `walked over ${i}`, bytes);
  expect(hot.filter((key) => cache.get(key) !== undefined).length).toBeGreaterThan(count / 2);
});

test('what becomes hot gets in, also in turns with what does not', () => {
  for (const first of [0, 1]) {
    const cache = new ValueCache<string>(1000);
    for (let i = 0; i < 1000 + first; i++) cache.put(`old ${i}`, ORIGIN, 'x', 1);
    let hits = 0;
    for (let i = 0; i < 3000; i++) {
      if (read(cache, `hot ${i % 100}`)) hits++;
      read(cache, `cold ${i}`);
    }
    expect(hits).toBeGreaterThan(1000);
  }
});

test('keys that come again stay, and those that do not go', () => {
  const cache = new ValueCache<string>(100);
  read(cache, 'hot');
  for (let i = 0; i < 3000; i++) {
    read(cache, `cold ${i}`);
    if (i % 20 === 0) expect(read(cache, 'hot')).toBe(true);
  }
});

test.each([100, 4096, 20_000])('%i entries stay in use with a third more keys than that', (entries) => {
  const random = randomness();
  const cache = new ValueCache<string>(entries);
  const keys = Math.ceil(1.3 * entries);
  let hits = 0;
  const count = 20 * Math.max(entries, 4096);
  for (let i = 0; i < count; i++) if (read(cache, `${random(keys)}`)) hits++;
  expect(hits / count).toBeGreaterThan(0.65);
});

test('it steps aside where keys do not come again, longer each time up to a bound, and comes back', () => {
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
    for (; lookups < 1_000_000 && !isOn(); lookups += 2)
      if (cache.size > 0) expect.fail(`keeps ${cache.size} meanwhile`);
    return lookups;
  };
  const pauses: number[] = [];
  for (let round = 0; round < 6; round++) {
    expect(untilOff()).toBeLessThan(10_000);
    pauses.push(untilOn());
  }
  expect(pauses[0]).toBeGreaterThan(10_000);
  expect(pauses.map((pause) => Math.round(pause / pauses[0]))).toEqual([1, 2, 4, 8, 8, 8]);
  for (let i = 0; i < 15_000; i++) if (read(cache, `hot ${i % 10}`) !== i >= 10) expect.fail(`look-up ${i}`);
  // It has been worth it since.
  expect(untilOff()).toBeLessThan(10_000);
  expect(Math.round(untilOn() / pauses[0])).toBe(1);
});

test('what begins empty after clear() is not judged by that', () => {
  const random = randomness();
  const cache = new ValueCache<string>(4096);
  const key = () => `${random(5300)}`;
  for (let i = 0; i < 4095; i++) read(cache, key());
  cache.clear();
  for (let i = 0; i < 2 * 4096; i++) read(cache, key());
  const hits = Array.from({ length: 4096 }, () => read(cache, key())).filter(Boolean).length;
  expect(hits / 4096).toBeGreaterThan(0.6);
});

test('nothing is left after clear()', () => {
  const cache = new ValueCache<string>(2);
  for (const key of ['a', 'b']) cache.put(key, ORIGIN, key, 1);
  cache.clear();
  expect([cache.size, cache.get('a'), cache.get('b')]).toEqual([0, undefined, undefined]);
});
