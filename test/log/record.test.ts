import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  createRecordViews,
  isRecordShape,
  keyOffsetOf,
  numberRecords,
  recordBytes,
  RecordField,
  RecordOperation,
  valueOffsetOf,
  writeRecordHeader,
} from '#dist/log/record.js';
import { replayRecord } from '#dist/log/replay.js';
import type { RecoverySink } from '#dist/log/sink.js';
import { native } from '#dist/native.js';

import { ModelSink } from '../fixtures/log/model-store.js';

describe('CRC32C', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  const scsiRead = Buffer.from(
    '01c00000000000000000000000000000140000000000040000000014000000182800000000000000020000000000000000'.slice(0, 96),
    'hex',
  );
  // RFC 3720, B.4, and the check value of the catalogue of CRCs.
  test.each([
    ['zeros', new Uint8Array(32), 0x8a9136aa],
    ['ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['ascending', ascending, 0x46dd794e],
    ['descending', ascending.toReversed(), 0x113fdb5c],
    ['a SCSI read', scsiRead, 0xd9963a56],
    ['123456789', Buffer.from('123456789'), 0xe3069283],
    ['nothing', new Uint8Array(), 0],
  ])('of %s', (_, bytes, expected) => {
    expect(native.crc32c(bytes, 0, bytes.length)).toBe(expected);
    expect(native.crc32c(bytes, 0, bytes.length, 0, true)).toBe(expected);
  });

  test('by instruction and by tables are equal, in parts as in one', () => {
    const parts = fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.nat(300), fc.nat(0xffff_ffff));
    fc.assert(
      fc.property(parts, ([bytes, a, b, seed]) => {
        const [from, to] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
        const whole = native.crc32c(bytes, from, to - from, seed);
        expect(native.crc32c(bytes, from, to - from, seed, true)).toBe(whole);
        const half = (to - from) >> 1;
        const first = native.crc32c(bytes, from, half, seed);
        expect(native.crc32c(bytes, from + half, to - from - half, first)).toBe(whole);
      }),
    );
  });

  test('of frames that are not whole is refused', () => {
    const bytes = new Uint8Array(24);
    bytes[4] = 16;
    expect(() => native.sealFrames(bytes, 0, 24)).toThrow('expected whole frames, there is none at byte 16');
    expect(() => native.sealFrames(bytes, 1, 24)).toThrow(RangeError);
    expect(() => native.soundFrames(new Int32Array(4) as unknown as Uint8Array, 0, 4)).toThrow(TypeError);
    native.sealFrames(bytes, 0, 16, 7);
    expect(native.soundFrames(bytes, 0, 24, 7)).toBe(16);
    expect(native.soundFrames(bytes, 0, 24, 8)).toBe(0);
  });
});

const record = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  value: fc.uint8Array({ maxLength: 200 }),
  codec: fc.nat(0xffff),
  flags: fc.nat(0xff),
  version: fc.maxSafeNat(),
  expiresAtMs: fc.maxSafeNat(),
});

test('records of any lengths come out as they went in, one behind the other', () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
      const views = createRecordViews(records.reduce((sum, r) => sum + recordBytes(r.key.length, r.value.length), 16));
      let end = 8;
      for (const { key, value, codec, flags, version, expiresAtMs } of records) {
        views.bytes.set(value, valueOffsetOf(end, key.length));
        views.bytes.set(key, keyOffsetOf(end));
        end += writeRecordHeader(views, end, 1, flags, codec, key.length, value.length, version, expiresAtMs, 99);
      }
      expect(numberRecords(views, 8, end - 8, 1000, 990)).toBe(records.length);
      native.sealFrames(views.bytes, 8, end - 8, 5);
      expect(native.soundFrames(views.bytes, 8, end - 8, 5)).toBe(end - 8);
      let at = 8;
      for (const [i, expected] of records.entries()) {
        expect(isRecordShape(views, at)).toBe(true);
        expect(views.floats[at / 8 + RecordField.sequence]).toBe(1000 + i);
        expect(views.words[at / 4 + RecordField.unsynced]).toBe(9 + i);
        const sink = Object.assign(new ModelSink(), {
          put({ bytes }, keyOffset, keyBytes, valueOffset, valueBytes, codec, flags, version, expiresAtMs) {
            const key = bytes.slice(keyOffset, keyOffset + keyBytes);
            const value = bytes.slice(valueOffset, valueOffset + valueBytes);
            expect({ key, value, codec, flags, version, expiresAtMs }).toEqual(expected);
          },
        } satisfies Partial<RecoverySink>);
        replayRecord(views, at, sink);
        at += views.words[at / 4 + RecordField.bytes];
      }
      expect(at).toBe(end);
    }),
  );
});

test('a batch that does not end with a record is not numbered', () => {
  const views = createRecordViews(200);
  const bytes = writeRecordHeader(views, 0, RecordOperation.put, 0, 0, 3, 5, 1, 0, 0);
  expect(() => numberRecords(views, 0, bytes + 8, 1, 0)).toThrow('a batch of whole records was expected, at byte 72');
});
