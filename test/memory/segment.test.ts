import { expect, test } from 'vitest';

import { viewsOf } from '#dist/memory/segment.js';

test('all views show the same memory, without a copy', () => {
  const { buffer, words, floats, bytes } = viewsOf(new SharedArrayBuffer(64));
  floats[1] = 1.5;
  expect(bytes.readDoubleLE(8)).toBe(1.5);
  bytes.writeInt32LE(-2, 24);
  expect(words[6]).toBe(-2);
  expect(new Int32Array(buffer)[6]).toBe(-2);
  expect([words.length, floats.length, bytes.length]).toEqual([16, 8, 64]);
});

test('a segment whose length is no multiple of 8 has no views', () => {
  expect(() => viewsOf(new SharedArrayBuffer(12))).toThrow(RangeError);
});
