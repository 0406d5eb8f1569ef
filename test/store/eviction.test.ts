/**
 * A store that evicts: what it returns is what was written last, or nothing; it goes on for ever, whatever sizes come;
 * its hit ratio on a seeded load beside that of an exact LRU of as many entries.
 * Seen to fail when: reads are not counted as uses (hit ratios, what was read); newcomers are left to the hand (the scan).
 * Not noticed: entries that can be moved nowhere are not evicted in place; more of them go by the hand then.
 */
import { describe, expect, test } from 'vitest';

import { Entry, geometryOf, WorkerRecord, workerBase } from '#dist/memory/layout.js';
import { Eviction } from '#dist/store/eviction.js';

import { auditStore } from '../fixtures/store/audit.js';
import {
  evictionParts,
  KeyStore,
  keyOf,
  MIB,
  newSegment,
  randomFrom,
  smallGeometry,
  valueOf,
} from '../fixtures/store/key-store.js';

function evictingStore(shape: Parameters<typeof smallGeometry>[0] = {}) {
  const geometry = smallGeometry(shape);
  const data = newSegment(geometry);
  const parts = evictionParts(geometry);
  const keys = new KeyStore(data, geometry, 0, undefined, undefined, parts);
  const evicted = (): number => data.floats[workerBase(geometry, 0) / 2 + WorkerRecord.evicted];
  return { geometry, data, parts, keys, evicted };
}

/** Zipfian ranks by inversion. */
function zipfian(count: number, theta: number, random: () => number): () => number {
  const cumulated = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) cumulated[rank] = sum += (rank + 1) ** -theta;
  return () => {
    const u = random() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulated[middle] < u) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** @returns hits of an exact LRU of so many entries */
function lruHits(requests: Iterable<number>, capacity: number): number {
  const entries = new Map<number, true>();
  let hits = 0;
  for (const request of requests) {
    if (entries.delete(request)) hits++;
    else if (entries.size === capacity) entries.delete(entries.keys().next().value as number);
    entries.set(request, true);
  }
  return hits;
}

describe('hit ratio', () => {
  const LOADS: Record<string, (random: () => number) => () => number> = {
    'zipfian 0.8': (random) => zipfian(40_000, 0.8, random),
    'zipfian 1.1': (random) => zipfian(40_000, 1.1, random),
    'zipfian with scans': (random) => {
      const next = zipfian(20_000, 0.9, random);
      let scanned = 1_000_000;
      return () => (random() < 0.3 ? scanned++ : next());
    },
    'popular keys that change': (random) => {
      const next = zipfian(60_000, 1, random);
      let count = 0;
      return () => next() + Math.floor(count++ / 100);
    },
  };

  test.each(Object.keys(LOADS))('on %s it is at least that of an exact LRU', (load) => {
    const { keys, evicted } = evictingStore({ maxMemoryBytes: MIB });
    const next = LOADS[load](randomFrom(7));
    const requests = Array.from({ length: 100_000 }, next);
    let hits = 0;
    for (const request of requests) {
      if (keys.get(keyOf(request)) !== undefined) hits++;
      else if (!keys.set(keyOf(request), valueOf(request, 64))) throw new Error('no room');
    }
    const entries = keys.store.size();
    const lru = lruHits(requests, entries);
    console.log(`${load}: ${hits} hits, LRU of ${entries} entries ${lru}`);
    expect(evicted()).toBeGreaterThan(5000);
    expect(hits).toBeGreaterThan(lru);
  });
});

const SIZES: Record<string, (random: () => number) => number> = {
  'small values of all sizes': (random) => Math.floor(random() * 4000),
  'values up to the largest': (random) => Math.floor(2 ** (4 + random() * 13)),
  'small ones, then large ones, by turns': (random) => (random() < 0.98 ? 40 : 100_000),
};

test.each(Object.keys(SIZES))('%s: ten times the memory goes in, and all of it finds a place', (sizes) => {
  const random = randomFrom(11);
  const { data, geometry, keys, evicted } = evictingStore({ maxValueBytes: 2 ** 17 });
  const model = new Map<number, number>();
  for (let bytes = 0; bytes < 10 * geometry.dataBytes;) {
    const index = Math.floor(random() * 20_000);
    const size = SIZES[sizes](random);
    if (!keys.set(keyOf(index), valueOf(index, size))) throw new Error(`after ${bytes} bytes no room for ${size} more`);
    model.set(index, size);
    bytes += size + 40;
    const other = Math.floor(random() * 20_000);
    const found = keys.get(keyOf(other));
    if (found !== undefined && !found.equals(valueOf(other, model.get(other) ?? -1)))
      throw new Error(`${other} is stale`);
  }
  keys.store.rest();
  auditStore(data, geometry);
  expect(evicted()).toBeGreaterThan(100);
  // A cache is worth its memory: three quarters of the heap are in use.
  const { usedBytes, totalBytes } = keys.store.usage();
  expect(usedBytes / totalBytes).toBeGreaterThan(0.75);
});

test('it answers as a Map that may lose entries, never with another value; deleted is deleted', () => {
  const random = randomFrom(5);
  const { data, geometry, keys, evicted } = evictingStore({ maxMemoryBytes: MIB, stripes: 1 });
  const model = new Map<number, Buffer>();
  for (let step = 0; step < 20_000; step++) {
    const index = Math.floor(random() * 3000);
    const choice = random();
    if (choice < 0.5) {
      const value = valueOf(step, Math.floor(random() * 1500));
      expect(keys.set(keyOf(index), value)).toBe(true);
      model.set(index, value);
      expect(keys.get(keyOf(index))?.equals(value)).toBe(true);
    } else if (choice < 0.6) {
      keys.delete(keyOf(index));
      model.delete(index);
      expect(keys.get(keyOf(index))).toBeUndefined();
    } else {
      const found = keys.get(keyOf(index));
      if (found !== undefined) expect(found.equals(model.get(index) ?? Buffer.from('?'))).toBe(true);
    }
  }
  keys.store.rest();
  auditStore(data, geometry);
  expect(evicted()).toBeGreaterThan(1000);
  expect(keys.store.size()).toBeLessThanOrEqual(model.size);
});

test('what was read is kept before what was not', () => {
  const { keys, evicted } = evictingStore({ maxMemoryBytes: MIB });
  for (let index = 0; index < 500; index++) keys.set(keyOf(index), valueOf(index, 100));
  for (let other = 1000; other < 30_000; other++) {
    keys.get(keyOf(other % 500));
    keys.set(keyOf(other), valueOf(other, 100));
  }
  expect(evicted()).toBeGreaterThan(20_000);
  const kept = Array.from({ length: 500 }, (_, index) => keys.get(keyOf(index))).filter((value) => value !== undefined);
  expect(kept.length).toBeGreaterThan(490);
});

test('a scan of keys that nobody asks for again leaves the others where they are', () => {
  const { keys, evicted } = evictingStore({ maxMemoryBytes: MIB });
  const isThere = (index: number): boolean => keys.get(keyOf(index)) !== undefined;
  for (let round = 0; round < 5; round++) {
    for (let index = 0; index < 1000; index++) if (!isThere(index)) keys.set(keyOf(index), valueOf(index, 100));
    for (let index = 0; index < 8000; index++) keys.set(Buffer.from(`fill:${round}:${index}`), valueOf(index, 100));
  }
  for (let index = 0; index < 1000; index++) isThere(index);
  for (let index = 0; index < 60_000; index++) keys.set(Buffer.from(`scan:${index}`), valueOf(index, 100));
  expect(evicted()).toBeGreaterThan(60_000);
  const kept = Array.from({ length: 1000 }, (_, index) => isThere(index)).filter(Boolean);
  expect(kept.length).toBeGreaterThan(900);
});

test('a large value finds room among small ones in the smallest heap', () => {
  const random = randomFrom(2);
  const { data, geometry, keys } = evictingStore({ maxMemoryBytes: MIB, maxValueBytes: MIB / 4 });
  for (let index = 0; index < 12_000; index++) {
    const size = random() < 0.01 ? 150_000 + Math.floor(random() * 100_000) : Math.floor(random() * 200);
    const key = keyOf(index % 9000);
    if (!keys.set(key, valueOf(index, size))) throw new Error(`no room for ${size} bytes at ${index}`);
  }
  keys.store.rest();
  auditStore(data, geometry);
});

test('marks of garbage cost hits and nothing else', () => {
  const random = randomFrom(3);
  const { data, geometry, parts, keys } = evictingStore({ maxMemoryBytes: MIB });
  for (let index = 0; index < 12_000; index++) {
    for (let i = 0; i < 4; i++) {
      const at = geometry.marksOffset / 4 + Math.floor(random() * geometry.buckets * 2);
      parts.ctl.words[at] = random() < 0.5 ? -1 : Math.floor(random() * 2 ** 32);
    }
    const key = keyOf(index % 9000);
    const value = valueOf(index, 60);
    if (!keys.set(key, value) || keys.get(key)?.equals(value) !== true) throw new Error(`${index} was not stored`);
  }
  keys.store.rest();
  auditStore(data, geometry);
});

test('who listens hears of every key that went, in order, and of none that is still there', () => {
  const { parts, keys, evicted } = evictingStore({ maxMemoryBytes: MIB });
  parts.state.listen(true);
  for (let index = 0; index < 10_000; index++) {
    keys.set(keyOf(index), valueOf(index, 100));
    parts.state.addUnheard(-parts.state.unheard);
  }
  keys.store.rest();
  expect(parts.evicted.length).toBe(evicted());
  expect(new Set(parts.evicted).size).toBe(parts.evicted.length);
  for (const key of parts.evicted) expect(keys.get(Buffer.from(key))).toBeUndefined();
});

test('without a policy a full store refuses and keeps every entry as it is', () => {
  const geometry = geometryOf({ ...smallGeometry({ maxMemoryBytes: MIB }) });
  const data = newSegment(geometry);
  const keys = new KeyStore(data, geometry);
  let count = 0;
  while (keys.set(keyOf(count), valueOf(count, 500))) count++;
  const before = Buffer.from(data.bytes.subarray(geometry.bucketsOffset, geometry.unitTableOffset));
  for (let index = 0; index < 100; index++) {
    expect(keys.set(keyOf(count + 1 + index), valueOf(index, 500))).toBe(false);
    expect(keys.set(keyOf(index), valueOf(index, 200_000))).toBe(false);
  }
  expect(before.equals(data.bytes.subarray(geometry.bucketsOffset, geometry.unitTableOffset))).toBe(true);
  for (let index = 0; index < count; index++) expect(keys.get(keyOf(index))?.equals(valueOf(index, 500))).toBe(true);
  auditStore(data, geometry);
});

test('a word of another stripe than its block tells of just then is left alone', () => {
  const { geometry, data, parts, keys, evicted } = evictingStore();
  for (let i = 0; i < 100; i++) keys.set(keyOf(i), valueOf(i, 100));
  const { map } = keys.store;
  const words: [at: number, granule: number][] = [];
  for (let bucket = 0; bucket < geometry.buckets; bucket++)
    map.visitBucket(bucket, (granule, at) => words.push([at, granule]));
  // As if each block had gone to a key of the next stripe, and come back behind the lock of that.
  const hashAt = (granule: number): number => granule * 4 + Entry.hash;
  const hashes = words.map(([, granule]) => data.words[hashAt(granule)]);
  for (const [index, [at, granule]] of words.entries()) {
    data.words[hashAt(granule)] = hashes[index] ^ 1;
    parts.state.push(at, hashes[index] ^ 1);
  }
  const eviction = new Eviction(keys.store, geometry, 0, parts);
  eviction.begin();
  for (let step = 0; step < 2 * geometry.buckets; step++) eviction.step();
  expect(evicted()).toBe(0);
  for (const [index, [, granule]] of words.entries()) data.words[hashAt(granule)] = hashes[index];
  auditStore(data, geometry);
  for (let i = 0; i < 100; i++) expect(keys.get(keyOf(i))).toEqual(valueOf(i, 100));
});
