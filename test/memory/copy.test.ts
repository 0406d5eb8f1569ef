import { randomFillSync } from 'node:crypto';

import { expect, test } from 'vitest';

import { pad4, pad8 } from '#dist/alignment.js';
import { copyBytes } from '#dist/memory/copy.js';
import { viewsOf } from '#dist/memory/segment.js';

test('pad4 and pad8 round up to whole words, and pairs of them', () => {
  expect([0, 1, 3, 4, 5, 8].map(pad4)).toEqual([0, 4, 4, 4, 8, 8]);
  expect([0, 1, 7, 8, 9, 16].map(pad8)).toEqual([0, 8, 8, 8, 16, 16]);
});

const LENGTHS = [0, 1, 3, 4, 7, 511, 512, 513, 600, 4096, 131_071, 131_072, 131_073, 200_000];
test.each(LENGTHS.flatMap((length) => [true, false].map((keeps) => ({ length, keeps }))))(
  '$length bytes arrive, and nothing outside their padded area changes (kept: $keeps)',
  ({ length, keeps }) => {
    const from = viewsOf(new SharedArrayBuffer(262_144));
    const to = viewsOf(new SharedArrayBuffer(262_144));
    randomFillSync(from.bytes);
    to.bytes.fill(0xee);
    copyBytes(from, 100, to, 2004, length, keeps);
    expect(to.bytes.subarray(2004, 2004 + length).equals(from.bytes.subarray(100, 100 + length))).toBe(true);
    expect(to.bytes.subarray(0, 2004).every((byte) => byte === 0xee)).toBe(true);
    expect(to.bytes.subarray(2004 + pad4(length)).every((byte) => byte === 0xee)).toBe(true);
  },
);
