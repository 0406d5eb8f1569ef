/**
 * Buffers of the addon's pool. Seen to fail when: a dropped block is unmapped; what is held, or lent, is nothing, or not
 * limited; of a full pool the latest leaves; two buffers get one block; the room of a block is less than its buffer's; no
 * young collection is asked for.
 */
import { expect, test } from 'vitest';

import { native } from '#dist/native.js';

import { runFixture } from '../fixtures/processes.js';

const MIB = 2 ** 20;

interface Collections {
  readonly minor: number;
  readonly major: number;
}

const take = (bytes: number): Uint8Array => new Uint8Array(native.takeBuffer(bytes) ?? new ArrayBuffer(0));

test('a buffer has exactly the bytes that were asked for, and they are nobody else’s', () => {
  const sizes = [1, 4095, 4097, 128 * 1024, 128 * 1024 + 1, 262_144, 262_144, 300_001, 5 * MIB + 3];
  const buffers = sizes.map((bytes, i) => take(bytes).fill(i + 1));
  expect(buffers.map((buffer) => buffer.length)).toEqual(sizes);
  for (const [i, buffer] of buffers.entries()) expect(buffer.every((byte) => byte === i + 1)).toBe(true);
});

test('a buffer can be given to another owner', () => {
  const buffer = native.takeBuffer(200_000) as ArrayBuffer;
  new Uint8Array(buffer).fill(7);
  const moved = new Uint8Array(structuredClone(buffer, { transfer: [buffer] }));
  expect([buffer.byteLength, moved.length, moved[0], moved[199_999]]).toEqual([0, 200_000, 7, 7]);
});

test.each([
  [0, 'bytes: expected an integer from 1 to 1073741824, got 0'],
  [2 ** 30 + 1, 'bytes: expected an integer from 1 to 1073741824, got 1073741825'],
])('a buffer of %d bytes is refused', (bytes, message) => {
  expect(() => native.takeBuffer(bytes)).toThrow(message);
});

test('pages come back, 32 MiB of them are held and 96 lent, and V8 collects what is dropped as it does its own', async () => {
  const { code, stdout, stderr } = await runFixture('native/buffers', []);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { again, kept, ours, own } = JSON.parse(stdout) as {
    again: boolean[];
    kept: Record<'most' | 'held' | 'all' | 'lent' | 'more', number>;
    ours: Collections;
    own: Collections;
  };
  // The second one while the pool was full of others.
  expect(again).toEqual([true, true]);
  expect(kept.most).toBeGreaterThan(190 * MIB);
  expect(kept.held).toBeGreaterThan(24 * MIB);
  expect(kept.held).toBeLessThan(48 * MIB);
  expect(kept.all).toBeLessThan(150 * MIB);
  // What is lent the kernel may take at any time, and then it is to be had anew.
  expect(kept.lent).toBeLessThanOrEqual(100 * MIB);
  expect(kept.more + kept.lent).toBeLessThan((40 + 96) * MIB);
  // From Node 24 on V8 seldom collects the young ones alone, its own neither.
  if (own.minor >= 10) expect(ours.minor).toBeGreaterThanOrEqual(own.minor / 2);
  expect(ours.minor + ours.major).toBeGreaterThan(0);
});
