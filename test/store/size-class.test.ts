import { expect, test } from 'vitest';

import { GRANULE_BYTES, MAX_SIZE_CLASSES, SlabHeader, SLAB_UNITS, UNIT_BYTES } from '#dist/memory/layout.js';
import {
  bitmapWordsOf,
  blockBytesOf,
  BUCKET_CLASS,
  firstBlockOf,
  MAX_SMALL_BYTES,
  SIZE_CLASSES,
  sizeClassOf,
  slabBlocksOf,
  slabUnitsOf,
} from '#dist/store/size-class.js';

const classes = Array.from({ length: SIZE_CLASSES }, (_, index) => index);
const entryClasses = classes.filter((index) => index !== BUCKET_CLASS);

test('the classes fit the table and grow strictly', () => {
  expect(SIZE_CLASSES).toBeLessThanOrEqual(MAX_SIZE_CLASSES);
  for (const index of entryClasses.slice(1)) expect(blockBytesOf[index]).toBeGreaterThan(blockBytesOf[index - 1]);
  expect(blockBytesOf[SIZE_CLASSES - 1]).toBe(MAX_SMALL_BYTES);
});

test('every size gets the smallest class that holds it, and never the class of buckets', () => {
  for (let bytes = 1; bytes <= MAX_SMALL_BYTES; bytes++) {
    const sizeClass = sizeClassOf(bytes);
    expect(sizeClass).not.toBe(BUCKET_CLASS);
    expect(blockBytesOf[sizeClass]).toBeGreaterThanOrEqual(bytes);
    if (sizeClass > 1) expect(blockBytesOf[sizeClass - 1]).toBeLessThan(bytes);
  }
});

test('rounding up wastes less than a granule below 288 bytes, and an eighth above', () => {
  for (let bytes = 17; bytes <= MAX_SMALL_BYTES; bytes++) {
    const wasted = blockBytesOf[sizeClassOf(bytes)] - bytes;
    expect(wasted, `${bytes} bytes`).toBeLessThan(Math.max(GRANULE_BYTES, bytes / 8 + GRANULE_BYTES));
  }
});

test.each(classes)('a slab of class %i holds its header, its bitmap and its blocks, and wastes little', (sizeClass) => {
  const slabBytes = slabUnitsOf[sizeClass] * UNIT_BYTES;
  const first = firstBlockOf[sizeClass];
  const blocks = slabBlocksOf[sizeClass];
  const end = first + blocks * blockBytesOf[sizeClass];
  expect(blockBytesOf[sizeClass] % GRANULE_BYTES).toBe(0);
  expect(first % GRANULE_BYTES).toBe(0);
  expect(first).toBeGreaterThanOrEqual(SlabHeader.sizeBytes + bitmapWordsOf(sizeClass) * 4);
  expect(bitmapWordsOf(sizeClass) * 32).toBeGreaterThanOrEqual(blocks);
  expect(slabUnitsOf[sizeClass]).toBeLessThanOrEqual(SLAB_UNITS);
  expect(blocks).toBeGreaterThanOrEqual(8);
  expect(end).toBeLessThanOrEqual(slabBytes);
  expect(slabBytes - end).toBeLessThan(slabBytes / 40);
});
