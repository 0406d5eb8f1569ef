import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { ASCII_SLACK, checkText, readText, writeAscii, writeText } from '#dist/codec/text.js';

const text = fc.oneof(
  fc.string({ maxLength: 120 }),
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc.string({ unit: 'grapheme', maxLength: 120 }),
);

describe('writeAscii', () => {
  /** Around the ends of the short path and of the long one; what is not ASCII stands anywhere, in any amount. */
  const lengths = fc.oneof(fc.nat(60), fc.integer({ min: 500, max: 530 }));
  const other = fc.constantFrom('\x80', 'é', '\u07ff', '€', '\uffff', '🎉');

  test('ASCII is written whole, in the room that its length asks for', () => {
    fc.assert(
      fc.property(lengths, (length) => {
        const value = 'x~\0'.repeat(length).slice(0, length);
        const target = Buffer.alloc(4 + length + ASCII_SLACK, 0xee);
        expect(writeAscii(target, 4, value)).toBe(true);
        expect(target.toString('latin1')).toBe(`${'\xee'.repeat(4)}${value}${'\xee'.repeat(ASCII_SLACK)}`);
      }),
    );
  });

  test('a rope of such characters is refused, however many they are', () => {
    for (const character of ['\x80', 'é', '€', '🎉']) {
      for (let count = 1; count < 300; count++) {
        for (const value of [character.repeat(count), `${character.repeat(count)}xyz`]) {
          expect(writeAscii(Buffer.alloc(4 * value.length + ASCII_SLACK), 0, value)).toBe(false);
        }
      }
    }
  });

  test('any other text is refused, and nothing is written beyond the room', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(lengths, fc.array(other, { minLength: 1, maxLength: 30 })), { minLength: 1, maxLength: 3 }),
        (parts) => {
          const value = parts.map(([before, others]) => 'a'.repeat(before) + others.join('')).join('');
          const room = value.length + ASCII_SLACK;
          const target = Buffer.alloc(room + 8, 0xee);
          expect(writeAscii(target, 0, value)).toBe(false);
          expect(target.subarray(room).every((byte) => byte === 0xee)).toBe(true);
        },
      ),
    );
  });
});

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
    for (const length of [0, 1, 23, 24, 25, 200]) {
      const value = 'x'.repeat(length);
      const target = Buffer.alloc(length + 4);
      expect(writeText(target, 2, value)).toBe(length);
      expect(readText(target, 2, 2 + length, true)).toBe(value);
    }
  });

  test('text that stops being ASCII within the short path is written whole', () => {
    const target = Buffer.alloc(64);
    const value = `${'a'.repeat(23)}é`;
    expect(writeText(target, 0, value)).toBe(25);
    expect(readText(target, 0, 25, false)).toBe(value);
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
