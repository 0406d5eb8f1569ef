import { randomFillSync } from 'node:crypto';

import { expect, test } from 'vitest';

import { copyInto, copyLeanly, copyOf } from '#dist/codec/copy.js';
import { steady } from '#dist/codec/given-bytes.js';

const LENGTHS = [0, 1, 8, 48, 49, 255, 256, 257, 4096];
const shared = Buffer.from(new SharedArrayBuffer(8192) as unknown as ArrayBuffer);
randomFillSync(shared);

test.each(LENGTHS)('a copy of %d bytes is what they were, in memory of its own', (length) => {
  const copy = copyOf(shared, 13, 13 + length);
  expect(copy.equals(shared.subarray(13, 13 + length))).toBe(true);
  expect(copy.buffer).not.toBe(shared.buffer);
});

test.each(LENGTHS)('%d bytes, all or some of an array, come to stand where they should and nowhere else', (length) => {
  const target = Buffer.alloc(8192, 0xee);
  copyInto(target, 21, Uint8Array.from(shared.subarray(5, 5 + length)));
  copyInto(target, 5001 - length, shared, 5, 5 + Math.min(length, 100));
  const some = Math.min(length, 100);
  const expected = Buffer.alloc(8192, 0xee);
  shared.copy(expected, 21, 5, 5 + length);
  shared.copy(expected, 5001 - length, 5, 5 + some);
  expect(target.equals(expected)).toBe(true);
});

test.each(LENGTHS)('%d bytes copied leanly stand where they should and nowhere else', (length) => {
  const target = Buffer.alloc(8192, 0xee);
  copyLeanly(target, 21, shared, 5, 5 + length);
  const expected = Buffer.alloc(8192, 0xee);
  shared.copy(expected, 21, 5, 5 + length);
  expect(target.equals(expected)).toBe(true);
});

test.each([0, 1, 131_071, 131_072, 262_144, 2 ** 24, 2 ** 24 + 1])(
  'copies of %d bytes are each for itself',
  (length) => {
    const source = Buffer.alloc(length + 10, 'abcdefghijklmnopqrstuvw');
    const first = copyOf(source, 5, 5 + length);
    source.fill(0);
    const second = copyOf(source, 5, 5 + length);
    expect(first.equals(Buffer.alloc(length + 5, 'abcdefghijklmnopqrstuvw').subarray(5))).toBe(true);
    expect(second.equals(Buffer.alloc(length))).toBe(true);
  },
);

test('an array that is part of a larger one is copied from its own start', () => {
  const part = new Uint8Array(shared.buffer, 1000, 300);
  const target = Buffer.alloc(300);
  copyInto(target, 0, part);
  expect(target.equals(shared.subarray(1000, 1300))).toBe(true);
});

test.each([ArrayBuffer, SharedArrayBuffer])(
  'of an array whose length may change (%o) a copy is taken, of others not',
  (Kind) => {
    const room = Reflect.construct(Kind, [300, { maxByteLength: 1000 }]) as ArrayBuffer;
    const tracking = new Uint8Array(room).fill(7);
    const taken = steady(tracking, 'value');
    expect(taken.buffer).not.toBe(room);
    expect([...taken]).toEqual([...tracking]);
    const fixed = new Uint8Array(new Kind(8));
    expect(steady(fixed, 'value')).toBe(fixed);
  },
);
