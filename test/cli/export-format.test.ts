/**
 * Lines of an export read back to the same bytes, and whatever is none is refused in words that help.
 * Seen to fail when: JSON is written as it parses, whatever it was, a NaN is one like any other, unknown fields are taken.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { exactJsonOf } from '#dist/cli/exact-json.js';
import { endLine, entryLine, type ExportedEntry, ExportReader, headerLine } from '#dist/cli/export-format.js';
import { linesOf } from '#dist/cli/lines.js';
import { CodecTag, resolveCodec, type StoredValue } from '#dist/codec/codec.js';

const HEADER = headerLine('app', Buffer.alloc(0), 0);

/** A reader behind the first line. */
function begun(): ExportReader {
  const reader = new ExportReader();
  expect(reader.read(Buffer.from(HEADER))).toBeUndefined();
  return reader;
}

const stored = (tag: number, bytes: string | Uint8Array | readonly number[]): StoredValue => ({
  tag,
  bytes: Buffer.from(bytes as string),
});
const double = (value: number) => stored(CodecTag.float64, resolveCodec('float64').encode(value));

/** What the line comes to when it is read. */
function roundTrip(key: Buffer, value: StoredValue, expiresAt?: number): ExportedEntry | undefined {
  const entry = { value, version: 7, ...(expiresAt === undefined ? {} : { expiresAt }) };
  const line = entryLine(key, entry);
  expect(line.indexOf('\n')).toBe(line.length - 1);
  return begun().read(Buffer.from(line.slice(0, -1)));
}

const anyBytes = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));
const anyText = fc.string({ unit: 'binary', maxLength: 32 }).map((text) => Buffer.from(text));
const anyJson = fc.json({ stringUnit: 'binary' }).map((text) => Buffer.from(text));
const spacedJson = fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value, null, 1)));
const anyNumber = fc.oneof(fc.double(), fc.integer()).map((value) => resolveCodec('float64').encode(value) as Buffer);
const content = fc.oneof(anyBytes, anyText, anyJson, spacedJson, anyNumber);

test('any key, value, tag and moment reads back to the same bytes', () => {
  const key = fc.oneof(anyBytes, anyText).filter((bytes) => bytes.length > 0);
  const moment = fc.option(fc.integer({ min: 0, max: 8.64e15 * 2 }), { nil: undefined });
  fc.assert(
    fc.property(key, content, fc.nat(15), moment, (keyBytes, bytes, tag, expiresAt) => {
      expect(roundTrip(keyBytes, { bytes, tag }, expiresAt)).toEqual({
        key: keyBytes,
        value: { bytes, tag },
        expiresAt,
      });
    }),
    { numRuns: 2000 },
  );
});

test.each<[string, StoredValue, object]>([
  ['text', stored(CodecTag.utf8, 'ü\u2028\n"'), { value: 'ü\u2028\n"', codec: 'utf8' }],
  ['nothing', stored(CodecTag.utf8, ''), { value: '', codec: 'utf8' }],
  ['a mark of byte order', stored(CodecTag.utf8, '\uFEFFa'), { value: '\uFEFFa', codec: 'utf8' }],
  ['bytes', stored(CodecTag.buffer, [0xff, 0]), { value: { base64: '/wA=' }, codec: 'buffer' }],
  ['a surrogate in UTF-8', stored(CodecTag.utf8, [0xed, 0xa0, 0x80]), { value: { base64: '7aCA' }, codec: 'utf8' }],
  ['JSON', stored(CodecTag.json, '{"a":[1,null]}'), { value: { a: [1, null] }, codec: 'json' }],
  ['JSON null', stored(CodecTag.json, 'null'), { value: null, codec: 'json' }],
  ['JSON that looks like bytes', stored(CodecTag.json, '{"base64":"x"}'), { value: { base64: 'x' }, codec: 'json' }],
  ['a lone surrogate in JSON', stored(CodecTag.json, String.raw`"\ud800"`), { value: '\uD800', codec: 'json' }],
  ['JSON with spaces', stored(CodecTag.json, '[ 1 ]'), { bytes: '[ 1 ]', codec: 'json' }],
  ['a number beyond doubles', stored(CodecTag.json, '12345678901234567890'), { bytes: '12345678901234567890' }],
  ['JSON with a key twice', stored(CodecTag.json, '{"a":1,"a":2}'), { bytes: '{"a":1,"a":2}' }],
  ['JSON with numbers as keys', stored(CodecTag.json, '{"b":1,"1":2}'), { bytes: '{"b":1,"1":2}' }],
  ['no JSON at all', stored(CodecTag.json, [0xff]), { bytes: { base64: '/w==' }, codec: 'json' }],
  ['an int32', stored(CodecTag.int32, [0xff, 0xff, 0xff, 0xff]), { value: -1, codec: 'int32' }],
  ['half an int32', stored(CodecTag.int32, 'ab'), { bytes: 'ab', codec: 'int32' }],
  ['a float64', double(0.1), { value: 0.1, codec: 'float64' }],
  ['minus zero', double(-0), { value: '-0' }],
  ['no number', double(Number.NaN), { value: 'NaN' }],
  ['infinity', double(-Infinity), { value: '-Infinity' }],
  ['a value of a codec of the users own', stored(CodecTag.custom, 'x'), { value: 'x', codec: 'custom' }],
  ['a codec without a name', stored(9, 'x'), { value: 'x', codec: 9 }],
])('%s', (_, value, json) => {
  expect(exactJsonOf(value)).toMatchObject(json);
  const key = Buffer.from('key');
  expect(roundTrip(key, value)).toEqual({ key, value, expiresAt: undefined });
});

test('a NaN with something else in it keeps that', () => {
  const value = stored(CodecTag.float64, [1, 2, 3, 4, 5, 6, 0xf8, 0x7f]);
  expect(exactJsonOf(value)).toMatchObject({ bytes: { base64: 'AQIDBAUG+H8=' } });
  expect(roundTrip(Buffer.from('k'), value)?.value).toEqual(value);
});

test('moments are dates to the millisecond; dates and numbers are taken', () => {
  const at = 1_924_084_800_123;
  expect(entryLine(Buffer.from('k'), { value: stored(1, 'v'), version: 1, expiresAt: at })).toBe(
    '{"key":"k","value":"v","codec":"utf8","expiresAt":"2030-12-21T12:00:00.123Z"}\n',
  );
  const line = `{"key":"k","value":"v","codec":"utf8","expiresAt":${at}}`;
  expect(begun().read(Buffer.from(line))?.expiresAt).toBe(at);
});

describe('refused is', () => {
  test.each<[string, string]>([
    ['{', 'expected an entry as JSON, got Expected property name'],
    ['', 'expected an entry as JSON, got an empty line'],
    ['[1]', 'expected an entry such as {"key":…,"value":…,"codec":…}, got an array'],
    ['null', 'got null'],
    ['{"value":"v","codec":"utf8"}', '"key" must be text or {"base64": …}, got nothing'],
    ['{"key":"","value":"v","codec":"utf8"}', '"key" must have 1 to 1024 bytes, got 0'],
    [`{"key":"${'ü'.repeat(513)}","value":"v","codec":"utf8"}`, '"key" must have 1 to 1024 bytes, got 1026'],
    ['{"key":"k","value":"v"}', '"codec" must be one of buffer, utf8, json, int32, float64, custom, or a number'],
    ['{"key":"k","value":"v","codec":"toString"}', 'got string "toString"'],
    ['{"key":"k","value":"v","codec":16}', 'or a number up to 15, got number 16'],
    ['{"key":"k","codec":"utf8"}', 'expected one of "value" and "bytes", got neither'],
    ['{"key":"k","value":"v","bytes":"v","codec":"utf8"}', 'got both'],
    ['{"key":"k","value":1,"codec":"utf8"}', '"value" of codec utf8 must be text or {"base64": …}, got number 1'],
    ['{"key":"k","value":1.5,"codec":"int32"}', '"value" of codec int32 must be such a number, got number 1.5'],
    ['{"key":"k","value":"-0","codec":"int32"}', 'got string "-0"'],
    [
      '{"key":"k","value":"1","codec":"float64"}',
      'such a number or "NaN", "Infinity", "-Infinity", "-0", got string "1"',
    ],
    [
      '{"key":"k","value":{"base64":"!"},"codec":"buffer"}',
      'must be Base64 with its padding (RFC 4648), got string "!"',
    ],
    ['{"key":{"base64":"YQ"},"value":"v","codec":"utf8"}', '"base64" in "key" must be Base64 with its padding'],
    [String.raw`{"key":"\ud800","value":"v","codec":"utf8"}`, '"key" has a lone surrogate'],
    ['{"key":"k","value":"v","codec":"utf8","expiresAt":"soon"}', '"expiresAt" must be a date such as'],
    ['{"key":"k","value":"v","codec":"utf8","expiresAt":-1}', 'got number -1'],
    [
      '{"key":"k","value":"v","codec":"utf8","ttl":5}',
      'an entry may have key, value, bytes, codec, expiresAt, got "ttl"',
    ],
    ['{"end":true,"entries":2}', 'the last line counts 2 entries, but 0 were there'],
  ])('%j', (line, message) => {
    expect(() => begun().read(Buffer.from(line))).toThrow(message);
  });

  test('what is no UTF-8', () => {
    const line = Buffer.from('{"key":"k\u00ff","value":"v","codec":"utf8"}', 'latin1');
    expect(() => begun().read(line)).toThrow('expected JSON in UTF-8, got bytes that are none');
  });

  test.each<[string, string]>([
    ['#!/bin/sh', 'expected the first line of an export, {"format":"shm-kvs export",…}, got something else'],
    ['{"format":"other"}', 'got "format" string "other": it is no export'],
    ['{"operation":"put","key":"a"}', 'it seems to be of `log dump`'],
    [
      '{"format":"shm-kvs export","version":2}',
      'this kvs-client reads version 1 of the format, got number 2: import it with',
    ],
    ['{"format":"shm-kvs export"}', 'got nothing'],
  ])('a file that begins with %j', (line, message) => {
    expect(() => new ExportReader().read(Buffer.from(line))).toThrow(message);
  });

  test('a file without its last line, an empty one, and one that goes on', () => {
    const reader = begun();
    expect(() => reader.finish()).toThrow('but the file ends behind 0 entries: it was cut off');
    expect(() => new ExportReader().finish()).toThrow('got an empty file');
    reader.read(Buffer.from(endLine(0)));
    reader.finish();
    expect(() => reader.read(Buffer.from(HEADER))).toThrow('expected nothing behind the last line');
  });
});

async function* streamOf(chunks: readonly Buffer[]) {
  yield* chunks;
}

async function collect(chunks: readonly Buffer[], limit = 1000): Promise<string[]> {
  const lines: string[] = [];
  for await (const some of linesOf(streamOf(chunks), () => limit)) lines.push(...some.map(String));
  return lines;
}

test('lines are the same wherever the stream is cut', async () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'ü', '\r', '\n'), maxLength: 24 });
  await fc.assert(
    fc.asyncProperty(word, fc.array(fc.nat(40), { maxLength: 6 }), async (text, cuts) => {
      const bytes = Buffer.from(text);
      const ends = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const chunks = ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
      const expected = text.split('\n');
      if (expected.at(-1) === '') expected.pop();
      expect(await collect(chunks)).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test('a line that is too long ends the walk behind those before it, and is not kept', async () => {
  const lines: string[] = [];
  let taken = 0;
  async function* endless() {
    yield Buffer.from('one\ntwo\n');
    for (;;) {
      taken++;
      yield Buffer.alloc(10, 'x');
    }
  }
  const walk = async () => {
    for await (const some of linesOf(endless(), () => 100)) lines.push(...some.map(String));
  };
  await expect(walk()).rejects.toThrow('expected a line of at most 100 bytes, got a longer one');
  expect(lines).toEqual(['one', 'two']);
  expect(taken).toBe(11);
});
