import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { BUCKET_BYTES } from '#dist/memory/layout.js';

import { auditStore } from '../fixtures/store/audit.js';
import { KeyStore, newSegment, smallGeometry } from '../fixtures/store/key-store.js';

/** A geometry with so few buckets that all chains overflow. */
const crowded = (buckets: number) => ({ ...smallGeometry({ stripes: 1 }), buckets });

const key = fc.oneof(
  fc.integer({ min: 0, max: 60 }).map((index) => Buffer.from(`k${index}`)),
  fc.uint8Array({ minLength: 1, maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 3 }).map((index) => Buffer.alloc(1024, index)),
);
const value = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 20_000 }).map((bytes) => Buffer.alloc(bytes, `${bytes}`)),
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ set: key, value, codec: fc.integer({ min: 0, max: 0xffff }) }) },
  { weight: 3, arbitrary: fc.record({ remove: key }) },
  { weight: 2, arbitrary: fc.record({ get: key }) },
  { weight: 1, arbitrary: fc.constant('flush' as const) },
);

test.each([1, 2, 64])('the store answers as a Map does, with %i buckets', (buckets) => {
  const geometry = crowded(buckets);
  const property = fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
    const data = newSegment(geometry);
    const keys = new KeyStore(data, geometry);
    const model = new Map<string, Buffer>();
    for (const next of steps) {
      if (next === 'flush') {
        keys.store.flush();
        model.clear();
      } else if ('set' in next) {
        expect(keys.set(next.set, next.value, next.codec)).toBe(true);
        model.set(next.set.toString('hex'), next.value);
      } else if ('remove' in next) {
        expect(keys.delete(next.remove)).toBe(model.delete(next.remove.toString('hex')));
      } else expect(keys.get(next.get)).toEqual(model.get(next.get.toString('hex')));
      expect(keys.store.size()).toBe(model.size);
    }
    for (const [name, bytes] of model) expect(keys.get(Buffer.from(name, 'hex'))).toEqual(bytes);
    auditStore(data, geometry);
  });
  fc.assert(property, { numRuns: 40 });
});

test('a chain of overflow buckets holds thousands of keys, and is used again after a flush', () => {
  const geometry = crowded(1);
  const data = newSegment(geometry);
  const keys = new KeyStore(data, geometry);
  const name = (index: number) => Buffer.from(`key ${index}`);
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 2000; index++) expect(keys.set(name(index), name(index + round))).toBe(true);
    for (let index = 0; index < 2000; index++) expect(keys.get(name(index))).toEqual(name(index + round));
    const buckets = [...keys.store.heap.usedBlocks()].filter(({ isBucket }) => isBucket);
    expect(buckets).toHaveLength(Math.ceil((2000 - 15) / 15) + 1);
    expect(buckets[0].bytes).toBe(BUCKET_BYTES);
    auditStore(data, geometry);
    keys.store.flush();
    expect(keys.store.size()).toBe(0);
    auditStore(data, geometry);
  }
});
