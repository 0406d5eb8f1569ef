/**
 * Copies between arrays of bytes. Seen to fail when what stands before the first whole line, or behind the last, is left
 * out, and when what overlaps is copied past the caches.
 */
import { randomFillSync } from 'node:crypto';

import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { native } from '#dist/native.js';

const ROOM = 2048;
const source = new Uint8Array(new SharedArrayBuffer(ROOM));
randomFillSync(source);

test('bytes arrive whatever the offsets are, and nothing else changes', () => {
  fc.assert(
    fc.property(
      fc.nat(700),
      fc.nat(700),
      fc.nat(700),
      fc.boolean(),
      (targetOffset, sourceOffset, length, pastCaches) => {
        const target = new Uint8Array(ROOM).fill(0xee);
        native.copyBytes(target, targetOffset, source, sourceOffset, length, pastCaches);
        const expected = new Uint8Array(ROOM).fill(0xee);
        expected.set(source.subarray(sourceOffset, sourceOffset + length), targetOffset);
        expect(Buffer.compare(target, expected)).toBe(0);
      },
    ),
    { numRuns: 1000 },
  );
});

test.each([false, true])('bytes may be copied over others of the same array (past caches: %s)', (pastCaches) => {
  for (const [to, from] of [
    [0, 100],
    [100, 0],
    [3, 0],
  ]) {
    const array = Uint8Array.from(source);
    native.copyBytes(array, to, array, from, 1000, pastCaches);
    expect(Buffer.compare(array, Uint8Array.from(source).copyWithin(to, from, from + 1000))).toBe(0);
  }
});

test('an array that is part of a buffer is copied to and from its own start', () => {
  const whole = new Uint8Array(64);
  native.copyBytes(whole.subarray(32), 4, source.subarray(10), 6, 8);
  expect([...whole.subarray(36, 44)]).toEqual([...source.subarray(16, 24)]);
  expect(whole.filter((byte) => byte !== 0).length).toBeLessThanOrEqual(8);
});

test.each<[string, () => void, string]>([
  [
    'beyond the target',
    () => native.copyBytes(new Uint8Array(8), 1, source, 0, 8),
    'offset: expected an integer from 0 to 0, got 1',
  ],
  [
    'beyond the source',
    () => native.copyBytes(new Uint8Array(ROOM), 0, source, 8, ROOM),
    'offset: expected an integer from 0 to 0, got 8',
  ],
  [
    'more than the target',
    () => native.copyBytes(new Uint8Array(8), 0, source, 0, 9),
    'target: expected at least 9 bytes, got 8',
  ],
  [
    'more than the source',
    () => native.copyBytes(new Uint8Array(ROOM + 1), 0, source, 0, ROOM + 1),
    `source: expected at least ${ROOM + 1} bytes, got ${ROOM}`,
  ],
  [
    'a negative length',
    () => native.copyBytes(new Uint8Array(8), 0, source, 0, -1),
    'length: expected an integer from 0 to 9007199254740991, got -1',
  ],
  [
    'words',
    () => native.copyBytes(new Int32Array(8) as unknown as Uint8Array, 0, source, 0, 1),
    'target: expected a Uint8Array, got Int32Array',
  ],
])('%s is refused with what was expected', (_, copy, message) => {
  expect(copy).toThrow(message);
});
