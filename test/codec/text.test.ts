import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { checkText, readText, writeText } from '#dist/codec/text.js';

const text = fc.oneof(
  fc.string({ maxLength: 120 }),
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc.string({ unit: 'grapheme', maxLength: 120 }),
);

describe('writeText and readText', () => {
  test('what is written is UTF-8, is read back, and touches nothing around it', () => {
    fc.assert(
      fc.property(text, fc.nat(20), (value, offset) => {
        const bytes = Buffer.byteLength(value);
        const target = Buffer.alloc(offset + bytes + 8, 0xee);
        expect(writeText(target, offset, value)).toBe(bytes);
        expect(target.subarray(offset, offset + bytes).equals(Buffer.from(value, 'utf8'))).toBe(true);
        expect(target.subarray(0, offset).every((byte) => byte === 0xee)).toBe(true);
        expect(target.subarray(offset + bytes).every((byte) => byte === 0xee)).toBe(true);
        expect(readText(target, offset, offset + bytes, false)).toBe(value);
      }),
    );
  });

  test('ASCII is read as one byte a character, on both sides of the short path', () => {
    for (const length of [0, 1, 47, 48, 49, 200]) {
      const value = 'x'.repeat(length);
      const target = Buffer.alloc(length + 4);
      expect(writeText(target, 2, value)).toBe(length);
      expect(readText(target, 2, 2 + length, true)).toBe(value);
    }
  });

  test('text that stops being ASCII within the short path is written whole', () => {
    const target = Buffer.alloc(64);
    const value = `${'a'.repeat(47)}é`;
    expect(writeText(target, 0, value)).toBe(49);
    expect(readText(target, 0, 49, false)).toBe(value);
  });

  test('shared memory is read and written as any other', () => {
    const shared = Buffer.from(new SharedArrayBuffer(64) as unknown as ArrayBuffer);
    const bytes = writeText(shared, 8, 'schön 🎉');
    expect(readText(shared, 8, 8 + bytes, false)).toBe('schön 🎉');
  });
});

describe('checkText', () => {
  test.each(['\ud800', 'a\udc00b', '\udc00\ud800'])('a lone surrogate is refused with what to do', (value) => {
    expect(() => checkText(value, 'key')).toThrow(
      new TypeError('key must be well-formed text, got a lone surrogate: use the buffer codec for raw bytes'),
    );
  });

  test.each(['', 'abc', 'ÿ', '𝄞'])('%j is text', (value) => {
    expect(() => checkText(value, 'key')).not.toThrow();
  });
});
