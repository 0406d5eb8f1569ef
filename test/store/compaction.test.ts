import { expect, test } from 'vitest';

import { ENTRY_HEADER_BYTES, UNIT_BYTES } from '#dist/memory/layout.js';

import { auditStore } from '../fixtures/store/audit.js';
import { KeyStore, keyOf, MIB, newSegment, randomFrom, smallGeometry, valueOf } from '../fixtures/store/key-store.js';

/** Bytes asked of the heap for key `index` with a value of so many bytes. */
const entryBytes = (index: number, bytes: number) => ENTRY_HEADER_BYTES + ((keyOf(index).length + 3) & ~3) + bytes;

function expectContents(keys: KeyStore, live: ReadonlyMap<number, number>): void {
  expect(keys.store.size()).toBe(live.size);
  for (const [index, bytes] of live) {
    const isIntact = keys.get(keyOf(index))?.equals(valueOf(index, bytes));
    expect(isIntact, `key ${index}`).toBe(true);
  }
}

test('all keys keep their values while the sizes of values shift, and the heap fills to four fifths each time', () => {
  const geometry = smallGeometry({ maxMemoryBytes: 16 * MIB });
  const heapBytes = geometry.heapUnits * UNIT_BYTES;
  const data = newSegment(geometry);
  const keys = new KeyStore(data, geometry);
  const random = randomFrom(7);
  const live = new Map<number, number>();
  let used = 0;
  let next = 0;
  const phases = [
    [300, 900],
    [5000, 7000],
    [100, 20_000],
    [20, 200],
    [2000, 2100],
    [20_000, 60_000],
    [64, 4000],
  ];
  for (const [low, high] of phases) {
    for (;;) {
      const bytes = Math.floor(low + (high - low) * random());
      if (!keys.set(keyOf(next), valueOf(next, bytes))) break;
      live.set(next, bytes);
      used += entryBytes(next++, bytes);
    }
    expect(used / heapBytes, `with values of ${low} to ${high} bytes`).toBeGreaterThan(0.8);
    expectContents(keys, live);
    auditStore(data, geometry);
    for (const [index, bytes] of live) {
      if (random() < 0.5) continue;
      expect(keys.delete(keyOf(index))).toBe(true);
      live.delete(index);
      used -= entryBytes(index, bytes);
    }
  }
  expect(keys.store.usage().compactions).toBeGreaterThan(100);
  expect(keys.store.usage().movedBytes).toBeGreaterThan(MIB);
});

/** Fills a store with values of 900 bytes, then deletes three of four. */
function sparse() {
  const geometry = smallGeometry();
  const data = newSegment(geometry);
  const keys = new KeyStore(data, geometry, 0);
  const live = new Map<number, number>();
  let next = 0;
  for (; keys.set(keyOf(next), valueOf(next, 900)); next++) live.set(next, 900);
  for (let index = 0; index < next; index++) {
    if (index % 4 === 0) continue;
    keys.delete(keyOf(index));
    live.delete(index);
  }
  return { geometry, data, keys, live, next };
}

test('a large value finds room where small ones were', () => {
  const { geometry, data, keys, live, next } = sparse();
  expect(keys.set(keyOf(next), valueOf(next, 400_000))).toBe(true);
  live.set(next, 400_000);
  expect(keys.store.usage().movedBytes).toBeGreaterThan(0);
  expectContents(keys, live);
  auditStore(data, geometry);
});

test('long runs are made of short ones that are nearly empty and lie between full ones', () => {
  const geometry = smallGeometry();
  const data = newSegment(geometry);
  const keys = new KeyStore(data, geometry, 0);
  const live = new Map<number, number>();
  let next = 0;
  // Slabs of both sizes in turn: neither has a neighbour that can be emptied as well.
  for (let bytes = 900; keys.set(keyOf(next), valueOf(next, bytes)); next++) {
    live.set(next, bytes);
    if (next % 200 === 15) bytes = 40;
    if (next % 200 === 199) bytes = 900;
  }
  for (const [index, bytes] of live) {
    if (bytes === 900 || index % 10 === 0) continue;
    keys.delete(keyOf(index));
    live.delete(index);
  }
  expect(keys.store.usage().largestFreeBytes).toBeLessThan(16 * UNIT_BYTES);
  const { freeBytes } = keys.store.usage();
  let filled = 0;
  for (; keys.set(keyOf(next), valueOf(next, 8000)); next++) {
    live.set(next, 8000);
    filled += 8000;
  }
  expect(filled / freeBytes).toBeGreaterThan(0.8);
  expectContents(keys, live);
  auditStore(data, geometry);
});

test('entries that another worker has not published yet stay where they are, and the heap is used around them', () => {
  const { geometry, data, keys, live } = sparse();
  const other = new KeyStore(data, geometry, 1);
  const pending = other.store.heap.allocate(900);
  const mark = Buffer.alloc(900, 'pending');
  data.bytes.set(mark, pending * 16);
  let { next } = sparse();
  for (; keys.set(keyOf(next), valueOf(next, 3000)); next++) live.set(next, 3000);
  expect(keys.store.usage().compactions).toBeGreaterThan(0);
  expect(other.store.heap.isUsed(pending)).toBe(true);
  expect(data.bytes.subarray(pending * 16, pending * 16 + 900).equals(mark)).toBe(true);
  expectContents(keys, live);
  auditStore(data, geometry);
  expect(other.store.heap.free(pending)).toBe(true);
  auditStore(data, geometry);
});

test('overflow buckets stay where they are', () => {
  const geometry = { ...smallGeometry({ stripes: 1 }), buckets: 4 };
  const data = newSegment(geometry);
  const keys = new KeyStore(data, geometry);
  const live = new Map<number, number>();
  let next = 0;
  for (; next < 3000; next++) {
    keys.set(keyOf(next), valueOf(next, 40 + (next % 7) * 150));
    live.set(next, 40 + (next % 7) * 150);
  }
  const buckets = () => [...keys.store.heap.usedBlocks()].filter(({ isBucket }) => isBucket);
  const before = buckets();
  for (const index of live.keys()) {
    if (index % 3 !== 0) keys.delete(keyOf(index));
    if (index % 3 !== 0) live.delete(index);
  }
  for (; keys.set(keyOf(next), valueOf(next, 100_000)); next++) live.set(next, 100_000);
  expect(keys.store.usage().movedBytes).toBeGreaterThan(0);
  expect(buckets()).toEqual(before);
  expectContents(keys, live);
  auditStore(data, geometry);
});
