import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { ASCII_SLACK, checkText, readText, writeAscii, writeText } from '#dist/codec/text.js';
import { viewsOf } from '#dist/memory/segment.js';

const text = fc.oneof(
  fc.string({ maxLength: 120 }),
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc.string({ unit: 'grapheme', maxLength: 120 }),
  fc.string({ unit: 'binary', minLength: 80, maxLength: 300, size: 'max' }),
);

/** Shared memory of at least so many bytes, with garbage in it. */
function roomFor(bytes: number) {
  const views = viewsOf(new SharedArrayBuffer(Math.ceil(bytes / 8) * 8));
  views.bytes.fill(0xee);
  return views;
}

describe('writeAscii', () => {
  /** Around the ends of the paths; what is not ASCII stands anywhere, in any amount. */
  const lengths = fc.oneof(fc.nat(60), fc.integer({ min: 240, max: 270 }), fc.integer({ min: 500, max: 530 }));
  const other = fc.constantFrom('\x80', 'é', '\u07ff', '€', '\uffff', '🎉');

  test('ASCII is written whole, in the room that its length asks for', () => {
    fc.assert(
      fc.property(lengths, (length) => {
        const value = 'x~\0'.repeat(length).slice(0, length);
        const target = roomFor(4 + length + ASCII_SLACK);
        expect(writeAscii(target, 4, value)).toBe(true);
        const around = '\xee'.repeat(target.bytes.length);
        expect(target.bytes.toString('latin1')).toBe(`${around.slice(0, 4)}${value}${around.slice(4 + length)}`);
      }),
    );
  });

  test('a rope of such characters is refused, however many they are', () => {
    for (const character of ['\x80', 'é', '€', '🎉']) {
      for (let count = 1; count < 300; count++) {
        for (const value of [character.repeat(count), `${character.repeat(count)}xyz`]) {
          expect(writeAscii(roomFor(4 * value.length + ASCII_SLACK), 0, value)).toBe(false);
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
          const target = roomFor(room + 8);
          expect(writeAscii(target, 0, value)).toBe(false);
          expect(target.bytes.subarray(room).every((byte) => byte === 0xee)).toBe(true);
        },
      ),
    );
  });
});

describe('writeText and readText', () => {
  test('what is written is UTF-8, is read back, and touches nothing around it', () => {
    fc.assert(
      fc.property(text, fc.nat(5), (value, before) => {
        const offset = 4 * before;
        const bytes = Buffer.byteLength(value);
        const views = roomFor(offset + bytes + 8);
        const target = views.bytes;
        expect(writeText(views, offset, value)).toBe(bytes);
        expect(target.subarray(offset, offset + bytes).equals(Buffer.from(value, 'utf8'))).toBe(true);
        expect(target.subarray(0, offset).every((byte) => byte === 0xee)).toBe(true);
        expect(target.subarray(offset + bytes).every((byte) => byte === 0xee)).toBe(true);
        expect(readText(target, offset, offset + bytes, false)).toBe(value);
      }),
    );
  });

  test('ASCII is read as one byte a character, on both sides of the short path', () => {
    for (const length of [0, 1, 19, 20, 21, 200, 255, 256, 257]) {
      const value = 'x'.repeat(length);
      const target = roomFor(length + 4);
      expect(writeText(target, 4, value)).toBe(length);
      expect(readText(target.bytes, 4, 4 + length, true)).toBe(value);
    }
  });

  test.each(['é', '€', '🎉'])('%s is written whole, however many there are', (character) => {
    for (const count of [1, 20, 21, 128, 255, 256, 257, 600]) {
      const value = character.repeat(count);
      const bytes = Buffer.byteLength(value);
      const target = roomFor(bytes);
      expect(writeText(target, 0, value)).toBe(bytes);
      expect(readText(target.bytes, 0, bytes, false)).toBe(value);
    }
  });

  test('text that stops being ASCII within the short path is written whole', () => {
    const target = roomFor(64);
    const value = `${'a'.repeat(19)}é`;
    expect(writeText(target, 0, value)).toBe(21);
    expect(readText(target.bytes, 0, 21, false)).toBe(value);
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
