import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { byteLengthOf, ITEM_HEADER_BYTES, itemBytes, tagOf, writeData, writeItem } from '#dist/codec/batch.js';
import { CodecTag } from '#dist/codec/codec.js';
import { ASCII_FLAG } from '#dist/codec/text.js';
import { viewsOf } from '#dist/memory/segment.js';

const data = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.uint8Array({ maxLength: 60 }));
const tag = fc.constantFrom(...Object.values(CodecTag));
const bytesOf = (value: string | Uint8Array) => Buffer.from(value as string);

test('items follow each other at multiples of 4, each as long as itemBytes says, and are read back', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(data, data, tag), { maxLength: 10 }), (items) => {
      const total = items.reduce((sum, [key, value]) => sum + itemBytes(byteLengthOf(key), byteLengthOf(value)), 0);
      const views = viewsOf(new SharedArrayBuffer(Math.ceil(total / 8) * 8 + 8));
      const target = views.bytes.fill(0xee);
      let end = 0;
      for (const [key, value, codec] of items) {
        const next = writeItem(views, end, key, value, codec, false);
        expect(next - end).toBe(itemBytes(byteLengthOf(key), byteLengthOf(value)));
        expect(next % 4).toBe(0);
        end = next;
      }
      expect(end).toBe(total);
      expect(target.subarray(total).every((byte) => byte === 0xee)).toBe(true);

      let at = 0;
      for (const [key, value, codec] of items) {
        const [keyBytes, valueBytes, found] = [
          target.readInt32LE(at),
          target.readInt32LE(at + 4),
          target.readInt32LE(at + 8),
        ];
        const keyAt = at + ITEM_HEADER_BYTES;
        const valueAt = keyAt + Math.ceil(keyBytes / 4) * 4;
        expect(target.subarray(keyAt, keyAt + keyBytes).equals(bytesOf(key))).toBe(true);
        expect(target.subarray(valueAt, valueAt + valueBytes).equals(bytesOf(value))).toBe(true);
        expect(found & ~ASCII_FLAG).toBe(codec);
        at = valueAt + Math.ceil(valueBytes / 4) * 4;
      }
    }),
  );
});

test('an item that is hoped to be ASCII is written as any other, or refused', () => {
  const isAscii = (part: string | Uint8Array) => typeof part !== 'string' || /^[\0-\x7f]*$/.test(part);
  const likely = fc.oneof(fc.string({ unit: 'binary-ascii', maxLength: 60 }), data);
  fc.assert(
    fc.property(likely, likely, tag, (key, value, codec) => {
      const [hoped, known] = [0, 1].map(() => viewsOf(new SharedArrayBuffer(1024)));
      const end = writeItem(hoped, 8, key, value, codec, true);
      const expected = writeItem(known, 8, key, value, codec, false);
      if (!isAscii(key) || !isAscii(value)) {
        expect(end).toBe(-1);
        return;
      }
      expect(end).toBe(expected);
      expect(hoped.bytes.subarray(0, end).equals(known.bytes.subarray(0, end))).toBe(true);
    }),
  );
});

test('byteLengthOf counts bytes, not characters', () => {
  expect([byteLengthOf(''), byteLengthOf('aé🎉'), byteLengthOf(new Uint8Array(5))]).toEqual([0, 7, 5]);
});

test('writeData writes text as UTF-8 and bytes as they are', () => {
  const target = viewsOf(new SharedArrayBuffer(16));
  expect(writeData(target, 0, 'é', false)).toBe(2);
  expect(writeData(target, 4, Uint8Array.of(1, 2, 3), false)).toBe(3);
  expect([...target.bytes.subarray(0, 8)]).toEqual([0xc3, 0xa9, 0, 0, 1, 2, 3, 0]);
});

test('text that turned out to be ASCII is marked so, other data never', () => {
  expect(tagOf(CodecTag.utf8, 'abc', 3)).toBe(CodecTag.utf8 | ASCII_FLAG);
  expect(tagOf(CodecTag.json, '"abc"', 5)).toBe(CodecTag.json | ASCII_FLAG);
  expect(tagOf(CodecTag.utf8, 'é', 2)).toBe(CodecTag.utf8);
  expect(tagOf(CodecTag.buffer, Uint8Array.of(1), 1)).toBe(CodecTag.buffer);
  expect(tagOf(CodecTag.custom, 'abc', 3)).toBe(CodecTag.custom);
});
