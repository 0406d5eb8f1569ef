import { randomFillSync } from 'node:crypto';

import { expect, test } from 'vitest';

import { copyBytes, pad4 } from '#dist/memory/copy.js';
import { viewsOf } from '#dist/memory/segment.js';

test('pad4 rounds up to whole words', () => {
  expect([0, 1, 3, 4, 5, 8].map(pad4)).toEqual([0, 4, 4, 4, 8, 8]);
});

test.each([0, 1, 3, 4, 7, 511, 512, 513, 600, 4096])(
  '%d bytes arrive, and nothing outside their padded area changes',
  (length) => {
    const from = viewsOf(new SharedArrayBuffer(8192));
    const to = viewsOf(new SharedArrayBuffer(8192));
    randomFillSync(from.bytes);
    to.bytes.fill(0xee);
    copyBytes(from, 100, to, 2004, length);
    expect(to.bytes.subarray(2004, 2004 + length).equals(from.bytes.subarray(100, 100 + length))).toBe(true);
    expect(to.bytes.subarray(0, 2004).every((byte) => byte === 0xee)).toBe(true);
    expect(to.bytes.subarray(2004 + pad4(length)).every((byte) => byte === 0xee)).toBe(true);
  },
);
