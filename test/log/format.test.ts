/**
 * The formats, byte by byte: files of version 1 in hex, made once and not from the code that is tested now. Whoever changes
 * what they mean needs a new version, and must go on reading these.
 */
import { expect, test } from 'vitest';

import { openLogDirectory } from '#dist/log/directory.js';
import { encodeHeader } from '#dist/log/header.js';
import { createRecordViews, numberRecords } from '#dist/log/record.js';
import { native } from '#dist/native.js';

import { MemoryDisk } from '../fixtures/log/memory-disk.js';
import { encodeEffects, recoverState } from '../fixtures/log/model-store.js';

const HEADER = {
  storeId: '0123456789abcdef',
  sequence: 4,
  createdMs: 1_700_000_000_000,
  durableSequence: 3,
  salt: 0xdeadbeef,
};

/** put a = "1", put "clé" = "värde" until 1,800,000,000,000, put a = "1" until 5, remove b, remove c. */
const SEGMENT = `
  4b56534ce60d0a1ac8bba1470100000067452301efcdab89000000000000104000008056febc78420000000000000840efbeadde00000000
  0000000000000000c1c9172e40000000000000000000104000008056febc78420000000000001c4000000000000000000100010101000000
  01000000000000006100000031000000cf79efda48000000000000000000144000008056febc78420000000000002040000000c585317a42
  01000101040000000600000001000000636cc3a976c3a4726465000000000000ff1e847540000000000000000000184000008056febc7842
  00000000000022400000000000001440010001010100000001000000020000006100000031000000e0047a04400000000000000000001c40
  00008056febc7842000000000000244000000000000000000200010101000000000000000300000062000000000000001fdd11cc40000000
  000000000000204000008056febc784200000000000026400000000000000000020001010100000000000000040000006300000000000000
`.replaceAll(/\s/g, '');

/** As of S0 = 3, S1 = 5: b = "2" (version 2), c = "" (version 3, expires at 9). */
const SNAPSHOT = `
  4b565353e60d0a1acbaac18d0100000067452301efcdab89000000000000084000008056febc78420000000000000000efbeadde00000000
  0000000000000000e66b64d06000000000000000020000002800000000000101000000000000004000000000000000000100000001000000
  62000000320000002800000000000101000000000000084000000000000022400100000000000000630000000000000094e3510d30000000
  01000000ffffffff0000000000000040000000000000144000008056febc78420000000000000840
`.replaceAll(/\s/g, '');

const diskOf = (files: Record<string, string>): MemoryDisk => {
  const entries = Object.entries(files).map(([name, hex], i) => [name, i + 1, Buffer.from(hex, 'hex')] as const);
  return new MemoryDisk({
    files: new Map(entries.map(([, file, bytes]) => [file, new Uint8Array(bytes)])),
    names: new Map(entries.map(([name, file]) => [name, file])),
  });
};

test('a segment of version 1 is written as ever', () => {
  const { views, bytes } = encodeEffects(
    [
      { type: 'put', key: 'a', value: '1' },
      { type: 'put', key: 'clé', value: 'värde', expiresAtMs: 1_800_000_000_000 },
      { type: 'put', key: 'a', value: '1', expiresAtMs: 5 },
      { type: 'remove', key: 'b' },
      { type: 'remove', key: 'c' },
    ],
    7,
  );
  numberRecords(views, 0, bytes, HEADER.sequence, HEADER.durableSequence);
  native.sealFrames(views.bytes, 0, bytes, HEADER.salt);
  const file = Buffer.concat([encodeHeader('segment', HEADER), views.bytes.subarray(0, bytes)]);
  expect(file.toString('hex')).toBe(SEGMENT);
});

test('a snapshot and a segment of version 1 are read', () => {
  const disk = diskOf({
    'snapshot-0000000000000003.kvs': SNAPSHOT,
    // Without the last record.
    'log-0000000000000004.kvl': SEGMENT.slice(0, -128),
  });
  const { state, report } = recoverState(openLogDirectory(disk.path, disk));
  expect(Object.fromEntries(state)).toEqual({
    a: { value: '1', version: 9, expiresAtMs: 5, codec: 257 },
    clé: { value: 'värde', version: 8, expiresAtMs: 1_800_000_000_000, codec: 257 },
    c: { value: '', version: 3, expiresAtMs: 9, codec: 257 },
  });
  expect(report).toEqual({
    storeId: '0123456789abcdef',
    snapshot: { file: '/log/snapshot-0000000000000003.kvs', sequence: 3, entries: 2 },
    passedOver: [],
    records: 4,
    lastSequence: 7,
    highestVersion: 10,
    torn: undefined,
  });
});

test.each([
  [
    'a newer version',
    (bytes: Buffer) => bytes.writeUInt32LE(2, 12),
    'has format version 2, this shm-kvs reads up to 1',
  ],
  ['another program', (bytes: Buffer) => bytes.write('SQLite format 3\0'), 'is not a segment of a shm-kvs log'],
])('a file of %s is refused, and not touched', (_, change, message) => {
  const bytes = Buffer.from(SEGMENT, 'hex');
  change(bytes);
  const disk = diskOf({ 'log-0000000000000004.kvl': bytes.toString('hex') });
  const directory = openLogDirectory(disk.path, disk);
  const touched = disk.journal.length;
  expect(() => recoverState(directory)).toThrow(expect.objectContaining({ code: 'ERR_KVS_LOG_FORMAT' }));
  expect(() => recoverState(directory)).toThrow(message);
  expect(disk.journal).toHaveLength(touched);
});

test('a snapshot under the name of a segment, a segment under another number, and another store are refused', () => {
  const other = Buffer.concat([
    encodeHeader('segment', { ...HEADER, storeId: 'fedcba9876543210', sequence: 9 }),
    createRecordViews(0).bytes,
  ]).toString('hex');
  const recoverOf = (files: Record<string, string>) => () => {
    const disk = diskOf(files);
    recoverState(openLogDirectory(disk.path, disk));
  };
  expect(recoverOf({ 'log-0000000000000003.kvl': SNAPSHOT })).toThrow('is not a segment of a shm-kvs log');
  expect(recoverOf({ 'log-0000000000000005.kvl': SEGMENT })).toThrow('begins with record 4, its name says otherwise');
  expect(
    recoverOf({
      'log-0000000000000004.kvl': SEGMENT,
      'log-0000000000000009.kvl': other,
      'snapshot-0000000000000003.kvs': SNAPSHOT,
    }),
  ).toThrow('is of store fedcba9876543210, others here are of 0123456789abcdef: move it elsewhere');
});
