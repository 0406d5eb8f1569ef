/** The Reader over a store in this process, which stands still while it is read unless a test says otherwise. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { BUCKET_ENTRIES, Entry, type Geometry } from '#dist/memory/layout.js';
import type { SegmentViews } from '#dist/memory/segment.js';
import { EntryMover } from '#dist/store/entry-mover.js';
import { Found, Reader, type SoughtKey } from '#dist/store/reader.js';

import { randomness } from '../fixtures/service.js';
import { hashOf, keyOf, KeyStore, MIB, newSegment, smallGeometry, valueOf } from '../fixtures/store/key-store.js';

/** Five bits: tags and whole hashes collide all the time. */
const weakHash = (key: Buffer): number => hashOf(key) & 0xc0000007;

/** A geometry with so few buckets that all chains overflow. */
const crowded = (buckets: number): Geometry => ({ ...smallGeometry({ stripes: 1 }), buckets });

function sought(key: Buffer, hash = weakHash): SoughtKey {
  const words = new Int32Array(1024);
  // What is behind the key is left over from a longer one.
  words.fill(-1);
  Buffer.from(words.buffer).set(key);
  return { words, byteLength: key.length, hash: hash(key) };
}

interface Setting {
  readonly geometry: Geometry;
  readonly data: SegmentViews;
  readonly keys: KeyStore;
  readonly reader: Reader;
}

function setting(geometry: Geometry, hash = weakHash): Setting {
  const data = newSegment(geometry);
  return { geometry, data, keys: new KeyStore(data, geometry, 0, hash), reader: new Reader(data, geometry) };
}

const valueIn = (reader: Reader): Buffer => Buffer.from(reader.bytes.subarray(reader.start, reader.end));

/** Something read and remembered, as a cache does. */
interface Known {
  readonly reader: Reader;
  readonly bucketWord: number;
  readonly entryWord: number;
  readonly version: number;
}

function lookUp({ data, geometry }: Setting, key: Buffer): Known {
  const reader = new Reader(data, geometry);
  expect(reader.find(sought(key))).toBe(Found.found);
  const { bucketWord, entryWord, version } = reader;
  return { reader, bucketWord, entryWord, version };
}

const isCurrent = ({ reader, bucketWord, entryWord, version }: Known): boolean =>
  reader.isCurrent(bucketWord, entryWord, version);

const key = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 40 }).map((index) => Buffer.from(`k${index}`)) },
  {
    weight: 1,
    arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).map((text) => Buffer.from(text)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 9 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1024, maxLength: 1024 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 1024 }).map((bytes) => Buffer.alloc(bytes, 'ä')) },
);
const value = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 65_536 }).map((bytes) => Buffer.alloc(bytes, `${bytes}`)),
);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ set: key, value, codec: fc.integer({ min: 0, max: 0xffff }) }) },
  { weight: 2, arbitrary: fc.record({ remove: key }) },
  { weight: 3, arbitrary: fc.record({ find: key }) },
);

test.each([1, 2, 64])('it answers as a Map does, and tells what has changed, with %i buckets', (buckets) => {
  const seed = randomness()(2 ** 31);
  const property = fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
    const all = setting(crowded(buckets));
    const { keys, reader } = all;
    const model = new Map<string, { value: Buffer; codec: number; known: Known | undefined }>();
    const expectKey = (name: Buffer) => {
      const entry = model.get(name.toString('hex'));
      expect(reader.find(sought(name))).toBe(entry === undefined ? Found.missing : Found.found);
      if (entry === undefined) return;
      expect(valueIn(reader).equals(entry.value)).toBe(true);
      expect(reader.codec).toBe(entry.codec);
      expect(reader.isStillThere()).toBe(true);
      if (entry.known !== undefined) expect(reader.version).toBe(entry.known.version);
      entry.known = lookUp(all, name);
    };
    const expectGone = (known: Known | undefined) => {
      if (known === undefined) return;
      expect(known.reader.isStillThere()).toBe(false);
      expect(isCurrent(known)).toBe(false);
    };
    for (const next of steps) {
      if ('set' in next) {
        const name = next.set.toString('hex');
        const known = model.get(name)?.known;
        expect(keys.set(next.set, next.value, next.codec)).toBe(true);
        model.set(name, { value: next.value, codec: next.codec, known: undefined });
        expectGone(known);
        if (known !== undefined) expect(lookUp(all, next.set).version).toBeGreaterThan(known.version);
      } else if ('remove' in next) {
        const name = next.remove.toString('hex');
        const known = model.get(name)?.known;
        keys.delete(next.remove);
        model.delete(name);
        expectGone(known);
      } else expectKey(next.find);
    }
    for (const [name, { known }] of model) {
      // What nobody has touched is still there. (Nothing was compacted: the heap has room.)
      if (known !== undefined) expect([known.reader.isStillThere(), isCurrent(known)]).toEqual([true, true]);
      expectKey(Buffer.from(name, 'hex'));
    }
  });
  fc.assert(property, { numRuns: 60, seed });
});

test('an entry that was moved is no longer there, not even once it is back; its value and version are the same', () => {
  const all = setting(crowded(1));
  const { keys, geometry } = all;
  const { store } = keys;
  const name = Buffer.from('moved');
  const content = valueOf(1, 3000);
  expect(keys.set(name, content, 7)).toBe(true);
  const first = lookUp(all, name);
  const home = first.entryWord & (2 ** geometry.granuleBits - 1);
  const move = (from: number, to: number) => {
    expect(new EntryMover(store, undefined).relocate(from, to)).toBe(true);
    store.heap.free(from);
  };
  const away = store.heap.allocate(store.bytesOf(home));
  move(home, away);
  const second = lookUp(all, name);
  expect([first.reader.isStillThere(), isCurrent(first)]).toEqual([false, false]);
  const back = store.heap.allocate(store.bytesOf(away));
  expect(back).toBe(home);
  move(away, back);
  expect(first.reader.isStillThere()).toBe(false);
  expect([second.reader.isStillThere(), isCurrent(second)]).toEqual([false, false]);
  // What was decoded is true all the same.
  expect(isCurrent(first)).toBe(true);
  const third = lookUp(all, name);
  expect(third.version).toBe(first.version);
  expect(third.reader.codec).toBe(7);
  expect(valueIn(third.reader)).toEqual(content);
});

test('while the heap compacts, what is still there has its value, and what is not is found elsewhere', () => {
  const random = randomness();
  const all = setting(smallGeometry({ maxValueBytes: 65_536 }));
  const { keys, reader } = all;
  const live = new Map<number, number>();
  let [stayed, moved] = [0, 0];
  for (let round = 0; round < 4000; round++) {
    const index = random(400);
    const before = live.get(index);
    const known = before === undefined ? undefined : lookUp(all, keyOf(index));
    for (let i = random(20); i >= 0; i--) {
      const other = random(400);
      const bytes = 32 << random(12);
      if (random(4) === 0) {
        keys.delete(keyOf(other));
        live.delete(other);
      } else if (keys.set(keyOf(other), valueOf(other, bytes))) live.set(other, bytes);
    }
    if (before !== undefined && known?.reader.isStillThere() === true) {
      stayed++;
      expect(valueIn(known.reader).equals(valueOf(index, before))).toBe(true);
      expect(isCurrent(known)).toBe(true);
    }
    const now = live.get(index);
    expect(reader.find(sought(keyOf(index)))).toBe(now === undefined ? Found.missing : Found.found);
    if (now === undefined) continue;
    expect(valueIn(reader).equals(valueOf(index, now))).toBe(true);
    if (known?.version === reader.version && !known.reader.isStillThere()) moved++;
  }
  expect(keys.store.usage().movedBytes).toBeGreaterThan(MIB);
  expect(stayed).toBeGreaterThan(1000);
  expect(moved).toBeGreaterThan(0);
});

test('whatever stands in the segment, nothing outside it is touched, and looking comes to an end', () => {
  const random = randomness();
  // Not a power of two: a granule may say more than there is.
  const { geometry, data, keys } = setting({ ...smallGeometry({ maxMemoryBytes: 5 * MIB }), buckets: 2 });
  const names = Array.from({ length: 80 }, (_, index) => keyOf(index));
  for (const [index, name] of names.entries()) keys.set(name, valueOf(index, 50 * index));
  const inside = <T extends Int32Array | Float64Array>(views: T): T =>
    new Proxy(views, {
      get(target, index) {
        if (!(Number(index) >= 0 && Number(index) < target.length)) throw new Error(`looked at ${String(index)}`);
        return target[Number(index)];
      },
    });
  const reader = new Reader({ ...data, words: inside(data.words), floats: inside(data.floats) }, geometry);
  const mask = 2 ** geometry.granuleBits - 1;
  const buckets = geometry.bucketsOffset / 4;
  const entries = names.map(
    (name) => (
      new Reader(data, geometry).find(sought(name)),
      lookUp({ data, geometry, keys, reader }, name).entryWord & mask
    ),
  );
  const edges = [
    0,
    1,
    -1,
    0x7fffffff,
    -0x80000000,
    mask,
    geometry.dataBytes,
    geometry.dataBytes / 16 - 1,
    0xffff,
    1024,
  ];
  const wild = () => (random(2) === 0 ? edges[random(edges.length)] : random(2 ** 32) | 0);
  const sound = data.words.slice();
  const seen = { 0: 0, 1: 0, 2: 0 };
  for (let round = 0; round < 500; round++) {
    for (let i = random(6); i >= 0; i--) {
      const entry = entries[random(entries.length)] << 2;
      const at = [
        () => entry + random(Entry.sizeBytes / 4),
        () => buckets + random(32),
        () => buckets + BUCKET_ENTRIES + 16 * random(2),
      ][random(3)]();
      const tag = sought(names[random(names.length)]).hash & ~mask;
      data.words[at] = random(2) === 0 ? wild() : tag | (wild() & mask);
    }
    for (const name of names) {
      const found = reader.find(sought(name));
      seen[found]++;
      if (found !== Found.found) continue;
      expect(reader.start).toBeGreaterThanOrEqual(geometry.heapOffset);
      expect(reader.end - reader.start).toBeGreaterThanOrEqual(0);
      expect(reader.end - reader.start).toBeLessThanOrEqual(geometry.maxValueBytes);
      expect(reader.end).toBeLessThanOrEqual(geometry.dataBytes);
      reader.isStillThere();
      reader.isCurrent(reader.bucketWord, reader.entryWord, reader.version);
    }
    if (round % 10 === 0) data.words.set(sound);
  }
  for (const found of Object.values(Found)) expect(seen[found]).toBeGreaterThan(0);
});

test('a length that says too much is not believed', () => {
  const all = setting(crowded(1));
  const { data, geometry, keys, reader } = all;
  const name = Buffer.from('name');
  keys.set(name, valueOf(1, 20));
  const { bucketWord, entryWord } = lookUp(all, name);
  const mask = 2 ** geometry.granuleBits - 1;
  const findWith = (granule: number, valueBytes: number) => {
    data.words[(granule << 2) + Entry.valueBytes] = valueBytes;
    return reader.find(sought(name));
  };
  const granule = entryWord & mask;
  expect(findWith(granule, geometry.maxValueBytes)).toBe(Found.found);
  for (const bytes of [geometry.maxValueBytes + 1, 0x7fffffff, -1, -0x80000000]) {
    expect(findWith(granule, bytes)).toBe(Found.missing);
  }
  // The same entry in the last 64 bytes of the segment: 28 of them are its header and its key.
  const last = geometry.dataBytes / 16 - 4;
  data.words.copyWithin(last << 2, granule << 2, (granule << 2) + 16);
  data.words[bucketWord] = (entryWord & ~mask) | last;
  expect(findWith(last, 36)).toBe(Found.found);
  expect(reader.end).toBe(geometry.dataBytes);
  expect(findWith(last, 37)).toBe(Found.missing);
});

test('a chain that bites its tail is given up', () => {
  const { data, geometry, keys, reader } = setting(crowded(1));
  for (let index = 0; index < 100; index++) keys.set(keyOf(index), valueOf(index, 10));
  const bucket = geometry.bucketsOffset / 4;
  const overflow = data.words[bucket + BUCKET_ENTRIES];
  data.words[(overflow << 2) + BUCKET_ENTRIES] = overflow;
  expect(reader.find(sought(Buffer.from('not there')))).toBe(Found.unstable);
});
