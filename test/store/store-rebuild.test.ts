/**
 * A store that is rebuilt from its map: what is sound stays, what is damaged is dropped and counted and never served,
 * and the heap holds what the map names and no more.
 * Seen to fail when: an entry's incarnation, lengths, hash, key, version or expiry is not looked at; blocks are taken twice;
 * the chain of a damaged overflow bucket is followed; pinned blocks are given out; versions begin again.
 */
import { expect, test } from 'vitest';

import { hostMs } from '#dist/memory/clock.js';
import { Entry, EXPIRES_AT, HeapControl, SlabHeader, Stripe, WorkerRecord, workerBase } from '#dist/memory/layout.js';
import type { SegmentViews } from '#dist/memory/segment.js';

import { HashMap } from '#dist/store/hash-map.js';
import { Reader } from '#dist/store/reader.js';
import { Runs } from '#dist/store/runs.js';
import { rebuildStore } from '#dist/store/store-rebuild.js';

import { randomness } from '../fixtures/service.js';
import { auditStore } from '../fixtures/store/audit.js';
import { hashOf, KeyStore, keyOf, newSegment, smallGeometry, valueOf } from '../fixtures/store/key-store.js';

const geometry = smallGeometry({ maxMemoryBytes: 2 ** 20, maxValueBytes: 2 ** 18 });
const KEYS = 2500;
const sizeOf = (index: number): number => (index % 250 === 0 ? 12_000 : (index % 40) * 4);

interface Scene {
  readonly data: SegmentViews;
  readonly map: HashMap;
  readonly keys: KeyStore;
  /** Word index of the bucket word that names the key's entry. */
  readonly wordOf: (index: number) => number;
  readonly granuleOf: (index: number) => number;
}

function scene(hash = hashOf, count = KEYS): Scene {
  const data = newSegment(geometry);
  const keys = new KeyStore(data, geometry, 0, hash);
  for (let index = 0; index < count; index++) expect(keys.set(keyOf(index), valueOf(index, sizeOf(index)))).toBe(true);
  keys.store.rest();
  const map = new HashMap(data, geometry, 1);
  const reader = new Reader(data, geometry);
  const wordOf = (index: number): number => {
    const key = keyOf(index);
    const words = new Int32Array(Math.ceil(key.length / 4));
    Buffer.from(words.buffer).set(key);
    expect(reader.find({ words, byteLength: key.length, hash: hash(key) })).toBe(1);
    return reader.bucketWord;
  };
  const granuleOf = (index: number): number => data.words[wordOf(index)] & (2 ** geometry.granuleBits - 1);
  return { data, map, keys, wordOf, granuleOf };
}

const rebuild = (data: SegmentViews, pinned: readonly number[] = [], hash = hashOf) => {
  // As a server does that takes over: whatever the dead one's workers had noted is nobody's.
  for (let worker = 0; worker < geometry.workers; worker++) {
    data.words[workerBase(geometry, worker) + WorkerRecord.spareBucket] = 0;
  }
  const keyHash = (word: number, bytes: number): number => hash(data.bytes.subarray(word * 4, word * 4 + bytes));
  return rebuildStore({ data, geometry, hashOf: keyHash, pinned });
};

function expectAllBut({ data, keys }: Scene, lost: ReadonlySet<number>, count = KEYS): void {
  auditStore(data, geometry);
  expect(keys.store.size()).toBe(count - lost.size);
  for (let index = 0; index < count; index++) {
    const value = keys.get(keyOf(index));
    if (lost.has(index)) expect(value, `key ${index}`).toBeUndefined();
    else expect(value?.equals(valueOf(index, sizeOf(index))), `key ${index}`).toBe(true);
  }
  for (const index of lost) expect(keys.set(keyOf(index), valueOf(index, sizeOf(index)))).toBe(true);
}

test('a sound store stays as it is, whatever its heap, counts and locks say', () => {
  const all = scene();
  const { data } = all;
  const before = Array.from({ length: KEYS }, (_, index) => all.map.versionOf(all.granuleOf(index)));
  const runs = new Runs(data, geometry, 0);
  for (let unit = 0; unit < runs.units; unit += runs.lengthOf(unit)) {
    if (runs.kindOf(unit) !== 2) continue;
    const header = runs.wordOf(unit);
    // The class alone is the truth; the bitmap follows the header.
    for (let word = 1; word < SlabHeader.sizeBytes / 4 + 1; word++) data.words[header + word] = 0x55aa55aa;
  }
  const control = geometry.heapControlOffset / 4;
  for (let word = 0; word < HeapControl.sizeBytes / 4; word++) data.words[control + word] = 0x0badf00d;
  for (let stripe = 0; stripe < geometry.stripes; stripe++) {
    data.words[(geometry.stripesOffset + stripe * Stripe.sizeBytes) / 4 + Stripe.lock] = 0x102;
    data.words[(geometry.stripesOffset + stripe * Stripe.sizeBytes) / 4 + Stripe.entryCount] = -7;
  }
  expect(rebuild(data)).toEqual({ entries: KEYS, dropped: 0, expiring: 0 });
  expectAllBut(all, new Set());
  for (let index = 0; index < KEYS; index++) expect(all.map.versionOf(all.granuleOf(index))).toBe(before[index]);
});

const KEY = 700;
const NEIGHBOUR = 701;

/** What of an entry is scribbled over, and how. */
test.each<[string, (scene: Scene, entry: number) => void]>([
  ['an odd incarnation', ({ data }, entry) => void (data.words[entry + Entry.incarnation] |= 1)],
  ['another hash', ({ data }, entry) => void (data.words[entry + Entry.hash] ^= 1 << 20)],
  ['a hash of another bucket', ({ data }, entry) => void (data.words[entry + Entry.hash] ^= 1)],
  ['no key', ({ data }, entry) => void (data.words[entry + Entry.shape] &= ~0xffff)],
  ['too long a key', ({ data }, entry) => void (data.words[entry + Entry.shape] |= 0xffff)],
  ['a negative length', ({ data }, entry) => void (data.words[entry + Entry.valueBytes] = -4)],
  ['a value beyond its block', ({ data }, entry) => void (data.words[entry + Entry.valueBytes] += 200)],
  ['a huge value', ({ data }, entry) => void (data.words[entry + Entry.valueBytes] = 0x7fffffff)],
  ['another key', ({ data }, entry) => void (data.words[entry + 6] ^= 0xff)],
  ['no version', ({ data }, entry) => void (data.floats[entry / 2 + Entry.version] = Number.NaN)],
  ['a version of another stripe', ({ data }, entry) => void data.floats[entry / 2 + Entry.version]++],
  ['a huge version', ({ data }, entry) => void (data.floats[entry / 2 + Entry.version] = 1e300)],
  ['nothing but zeros', ({ data }, entry) => void data.words.fill(0, entry, entry + 8)],
  ['nothing but garbage', ({ data }, entry) => void data.words.fill(0xa5a5a5a5 | 0, entry, entry + 8)],
  ['a block that is none', ({ data, wordOf }) => void data.words[wordOf(KEY)]++],
  [
    'a block outside of the heap',
    ({ data, wordOf }) => void (data.words[wordOf(KEY)] &= -(2 ** geometry.granuleBits) | 3),
  ],
])('an entry with %s is dropped', (_, spoil) => {
  const all = scene();
  spoil(all, all.granuleOf(KEY) << 2);
  expect(rebuild(all.data)).toEqual({ entries: KEYS - 1, dropped: 1, expiring: 0 });
  expectAllBut(all, new Set([KEY]));
});

test.each([Number.NaN, 0, -1, 1e300, Infinity])('an entry that expires at %d is dropped', (moment) => {
  const all = scene(hashOf, 100);
  const { data, keys, granuleOf } = all;
  const expiresAt = hostMs() + 3_600_000;
  for (const index of [7, 8]) keys.set(keyOf(index), valueOf(index, sizeOf(index)), 0, expiresAt);
  keys.store.rest();
  data.floats[granuleOf(7) * 2 + EXPIRES_AT] = moment;
  expect(rebuild(data)).toEqual({ entries: 99, dropped: 1, expiring: 1 });
  expect(all.map.expiresAtOf(granuleOf(8))).toBe(expiresAt);
  expectAllBut(all, new Set([7]), 100);
});

test('of two words that name one block, one is dropped; of two entries of one key, the later', () => {
  const all = scene();
  const { data, wordOf, granuleOf } = all;
  data.words[wordOf(KEY)] = data.words[wordOf(NEIGHBOUR)];
  expect(rebuild(data)).toEqual({ entries: KEYS - 1, dropped: 1, expiring: 0 });
  expectAllBut(all, new Set([KEY]));

  const twice = scene();
  const [from, to] = [twice.granuleOf(KEY) << 2, twice.granuleOf(KEY + 40) << 2];
  const chain = twice.wordOf(KEY);
  const empty = Array.from({ length: 15 }, (_, i) => chain - (chain % 16) + i).find((at) => twice.data.words[at] === 0);
  if (empty === undefined) throw new Error('the bucket is full: choose another key');
  twice.data.words.copyWithin(to, from, from + 8 + Math.ceil(sizeOf(KEY) / 4));
  const tag = twice.data.words[chain] & -(2 ** geometry.granuleBits);
  twice.data.words[empty] = tag | (to >> 2);
  // The word that named the overwritten block before names one of another bucket now.
  expect(rebuild(twice.data)).toEqual({ entries: KEYS - 1, dropped: 2, expiring: 0 });
  expectAllBut(twice, new Set([KEY + 40]));
  expect(granuleOf(NEIGHBOUR)).toBeGreaterThan(0);
});

test.each(['astray', 'in a circle'])('a chain that leads %s is cut', (lead) => {
  const count = 100;
  const BUCKET = 5;
  const inOneBucket = (key: Buffer): number => (hashOf(key) & -geometry.buckets) | BUCKET;
  const all = scene(inOneBucket, count);
  const { data } = all;
  const second = data.words[geometry.bucketsOffset / 4 + BUCKET * 16 + 15] << 2;
  const third = data.words[second + 15] << 2;
  const lost = new Set<number>();
  for (let index = 0; index < count; index++) {
    const isBehind = all.wordOf(index) < geometry.unitTableOffset / 4 || Math.abs(all.wordOf(index) - second - 7) < 8;
    if (!isBehind) lost.add(index);
  }
  expect(lost.size).toBe(count - 30);
  if (lead === 'astray') data.words[second + 15] = (third >> 2) + 1;
  else data.words[second + 15] = second >> 2;
  expect(rebuild(data, [], inOneBucket)).toEqual({ entries: count - lost.size, dropped: 1, expiring: 0 });
  expectAllBut(all, lost, count);
});

test('versions go on rising, though a stripe has forgotten how far they were', () => {
  const all = scene();
  const { data, map, keys } = all;
  const highest = Math.max(...Array.from({ length: KEYS }, (_, index) => map.versionOf(all.granuleOf(index))));
  for (let stripe = 0; stripe < geometry.stripes; stripe++) {
    const at = (geometry.stripesOffset + stripe * Stripe.sizeBytes) / 8 + Stripe.version;
    data.floats[at] = [0, -1, Number.NaN, 1e300][stripe];
  }
  rebuild(data);
  for (let index = 0; index < KEYS; index++) {
    const before = map.versionOf(all.granuleOf(index));
    keys.set(keyOf(index), valueOf(index, sizeOf(index)));
    expect(map.versionOf(all.granuleOf(index))).toBeGreaterThan(before);
  }
  expect(map.versionOf(all.granuleOf(KEYS - 1))).toBeLessThan(highest * 3);
});

test('large blocks that clients still look at are not given out, and are free when they no longer do', () => {
  const { data, wordOf, granuleOf, keys: before } = scene();
  // One that the map still names, two that it does not, one that is small, and garbage.
  const [kept, ...gone] = [750, 250, 500].map(granuleOf);
  const small = granuleOf(KEY);
  const pinned = new Set([kept, ...gone, small, 0, -1, kept + 1, 2 ** 31, geometry.dataBytes]);
  for (const index of [250, 500, KEY]) data.words[wordOf(index)] = 0;
  expect(rebuild(data, [...pinned])).toEqual({ entries: KEYS - 3, dropped: 0, expiring: 0 });
  expect(before.store.heap.isUsed(small)).toBe(false);

  const pins = {
    isPinned: (granule: number) => pinned.has(granule),
    collect: (granules: Set<number>) => pinned.forEach((granule) => granules.add(granule)),
  };
  const keys = new KeyStore(data, geometry, 0, hashOf, pins);
  const contents = () =>
    [kept, ...gone].map((granule) => Buffer.from(data.bytes.subarray(granule * 16 + 24, granule * 16 + 64)));
  const seen = contents();
  for (let index = 10_000; keys.set(keyOf(index), valueOf(index, sizeOf(index % 40))); index++);
  for (let index = 20_000; keys.set(keyOf(index), valueOf(index, 12_000)); index++);
  for (let index = 20_000; index < 20_010; index++) keys.delete(keyOf(index));
  expect(contents()).toEqual(seen);
  expect(keys.store.heap.pinnedBlocks().toSorted((a, b) => a - b)).toEqual(gone.toSorted((a, b) => a - b));
  auditStore(data, geometry);
  pinned.clear();
  for (let index = 30_000; keys.set(keyOf(index), valueOf(index, 12_000)); index++);
  expect(keys.store.heap.pinnedBlocks()).toEqual([]);
  auditStore(data, geometry);
});

test('whatever is scribbled over the blocks, what is found afterwards is what was written', () => {
  const random = randomness();
  for (let round = 0; round < 20; round++) {
    const all = scene();
    const { data, keys } = all;
    const first = geometry.heapOffset / 4;
    const units = new Runs(data, geometry, 0);
    for (let scribble = 0; scribble < 200; scribble++) {
      const at = first + random(units.units * 256);
      data.words.fill(random(2 ** 32) | 0, at, at + 1 + random(8));
    }
    const { entries, dropped } = rebuild(data);
    expect(dropped).toBeGreaterThan(0);
    auditStore(data, geometry);
    expect(keys.store.size()).toBe(entries);
    let found = 0;
    for (let index = 0; index < KEYS; index++) {
      const value = keys.get(keyOf(index));
      if (value === undefined) continue;
      found++;
      // There is no checksum of values: their bytes may be scribbled over, not their length or their key.
      expect(value.length).toBeLessThanOrEqual(Math.max(sizeOf(index) + 16, 12_288));
    }
    expect(found).toBe(entries);
  }
});
