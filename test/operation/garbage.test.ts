/**
 * Every decoder of shared bytes, over bytes that nobody of ours has written: requests and batches in a worker, answers in
 * a client, entries in a reader, values in a codec, the header of a file, words of ring and arena. None throws anything
 * but what it documents, all end, and none looks beyond what it was given: there, all is filled with what would show.
 * Seen to fail when: a worker does not check a length of a request or of an item of a batch; a client takes the length of
 * an item, or the JSON of statistics, as it comes.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { END, DirectScan } from '#dist/client/direct-scan.js';
import { type Codec, type CodecName, resolveCodec } from '#dist/codec/codec.js';
import { KvsError } from '#dist/errors.js';
import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { useOf } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { TaskQueue } from '#dist/exchange/task-queue.js';
import {
  CHUNK_BYTES,
  CtlHeader,
  DataHeader,
  INLINE_BYTES,
  KEEP_EXPIRY,
  MAX_EXPIRES_AT,
  MAX_KEY_BYTES,
  Slot,
} from '#dist/memory/layout.js';
import { readCtlHeader } from '#dist/memory/region-files.js';
import { BatchReader } from '#dist/operation/batch-reader.js';
import { ResponseView } from '#dist/operation/response-view.js';
import { OPERATIONS } from '#dist/operation/table.js';
import { Reader } from '#dist/store/reader.js';

import { privateSegments, TestWorker } from '../fixtures/exchange/test-worker.js';
import { temporaryPath } from '../fixtures/processes.js';
import { privateCtl, shapeOf } from '../fixtures/region.js';
import { auditHeap } from '../fixtures/store/audit.js';
import { hashOf, KeyStore, newSegment, smallGeometry } from '../fixtures/store/key-store.js';

const SEAMS = [
  0,
  1,
  -1,
  3,
  4,
  5,
  959,
  960,
  961,
  1024,
  1025,
  4095,
  4096,
  4097,
  65_536,
  2 ** 30,
  2 ** 31 - 1,
  -(2 ** 31),
];
const word = fc.oneof(fc.constantFrom(...SEAMS), fc.integer(), fc.integer({ min: 0, max: 64 }));
const words = (length: number) => fc.array(word, { minLength: length, maxLength: length });
const float = fc.oneof(fc.constantFrom(0, 1, -1, 0.5, Number.NaN, Infinity, -Infinity, 2 ** 53, 1e300), fc.double());
/** Mostly such that the rest of the request is looked at. */
const expiry = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0, KEEP_EXPIRY, 1, 2 ** 40) }, float);
const RUNS = { numRuns: 1500 };

const CODECS = ['utf8', 'buffer', 'json', 'int32', 'float64'] as const;
const custom = resolveCodec({ encode: (value: string) => value, decode: (bytes: Buffer) => bytes.toString('latin1') });
const codecs = [...CODECS.map((name: CodecName) => resolveCodec(name)), custom] as Codec<unknown>[];

/** Passes what is documented. */
function orKvsError<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof KvsError) return undefined;
    throw error;
  }
}

/** What a value takes up, whatever its kind. */
const sizeOf = (value: unknown): number => {
  if (typeof value === 'string' || value instanceof Uint8Array) return value.length;
  return Array.isArray(value) ? value.reduce<number>((sum, part) => sum + sizeOf(part), 0) : 8;
};

test.each(CODECS)('values of garbage, read as %s', (name) => {
  const codec = resolveCodec(name);
  const bytes = Buffer.from(new SharedArrayBuffer(4096) as unknown as ArrayBuffer);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(255), fc.nat(4095), (value, tag, start) => {
      const end = Math.min(start + value.length, bytes.length);
      bytes.fill(0x7a).set(value.subarray(0, end - start), start);
      const found = orKvsError(() => codec.decode(bytes, start, end, tag));
      if (found !== undefined && name !== 'json') expect(sizeOf(found)).toBeLessThanOrEqual(Math.max(8, end - start));
    }),
    RUNS,
  );
});

describe('a worker', () => {
  const segments = privateSegments(shapeOf({ maxValueBytes: 8192 }));
  const { ctl, data, geometry } = segments;
  const worker = new TestWorker(segments, 0, 1);
  const { store, table, arena, request, response, base } = worker;
  const used = useOf(1, 0);

  test('executes or refuses requests of garbage, within their bounds, and the store stays whole', () => {
    const opcode = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 16 }) }, { weight: 1, arbitrary: word });
    const length = fc.oneof({ weight: 4, arbitrary: fc.nat(60) }, { weight: 1, arbitrary: word });
    const extent = fc.constantFrom(0, 0, 0, 1, 1, 2, 9, -1, 2 ** 31 - 1);
    const shape = fc.tuple(opcode, length, length, extent, fc.oneof(fc.nat(4), word), word);
    let applied = 0;
    fc.assert(
      fc.property(shape, words(40), float, expiry, fc.nat(3), (fields, payload, argument, expiresAt, chunks) => {
        ctl.words.fill(0x6b6b6b6b, geometry.slotsOffset / 4, geometry.queueOffset / 4);
        const [op, keyBytes, valueBytes, extent, extentChunks, codec] = fields;
        ctl.words.set([op, keyBytes, valueBytes, extent, extentChunks, -1], base + Slot.op);
        ctl.words[base + Slot.codec] = codec;
        ctl.floats[base / 2 + Slot.argument] = argument;
        ctl.floats[base / 2 + Slot.expiresAt] = expiresAt;
        if (chunks > 0) arena.claim(used, chunks);
        ctl.words.set(payload, base + Slot.request / 4);
        ctl.words.set(payload, geometry.arenaOffset / 4);
        response.begin(1, 0);
        if (request.read(1, 0)) {
          const first = extent === 0 ? base * 4 + Slot.request : arena.offsetOf(extent - 1);
          const room = extent === 0 ? INLINE_BYTES : extentChunks * CHUNK_BYTES;
          expect(request.expiresAt).toSatisfy((at: number) => at === KEEP_EXPIRY || (at >= 0 && at <= MAX_EXPIRES_AT));
          expect(request.keyOffset).toBe(first);
          expect(request.keyBytes).toBeLessThanOrEqual(MAX_KEY_BYTES);
          expect(request.valueOffset + request.valueBytes).toBeLessThanOrEqual(first + room);
          if (extent !== 0) expect(arena.isOwned(used, extent - 1, extentChunks)).toBe(true);
          if (worker.apply()) applied++;
        }
        arena.reclaim(used);
        expect(arena.used()).toBe(0);
        // Nothing of the neighbours was touched.
        const isUntouched = (from: number, to: number) =>
          ctl.words.subarray(from, to).every((one) => one === 0x6b6b6b6b);
        expect(isUntouched(table.base(0), base) && isUntouched(table.base(2), geometry.queueOffset / 4)).toBe(true);
      }),
      RUNS,
    );
    expect(applied).toBeGreaterThan(100);
    store.rest();
    auditHeap(data, geometry);
  });

  test('walks batches of garbage to an end, item by item within the request', () => {
    fc.assert(
      fc.property(words(60), fc.integer({ min: 0, max: 240 }), (payload, valueBytes) => {
        ctl.words.set(payload, base + Slot.request / 4);
        ctl.words.set([13, 0, valueBytes, 0, 0], base + Slot.op);
        ctl.floats[base / 2 + Slot.expiresAt] = 0;
        expect(request.read(1, 0)).toBe(true);
        const batch = new BatchReader(request);
        batch.begin();
        for (let items = 0; batch.next() === 1; items++) {
          expect(items).toBeLessThan(20);
          expect(batch.keyOffset).toBeGreaterThanOrEqual(request.valueOffset);
          expect(batch.valueOffset + batch.valueBytes).toBeLessThanOrEqual(request.valueOffset + valueBytes);
        }
        // Where it ends it ends for good: who goes on behind items that are done learns it too.
        const end = batch.next();
        expect([0, -1]).toContain(end);
        batch.begin(20);
        expect(batch.next()).toBe(end);
      }),
      RUNS,
    );
  });

  test('a batch whose second item reaches beyond it is malformed from there on, also behind items that are done', () => {
    // Two items of one byte each; the second value is said to have 400.
    ctl.words.set([1, 1, 9, 0x61, 0x62, 1, 400, 9, 0x63, 0x64], base + Slot.request / 4);
    ctl.words.set([13, 0, 40, 0, 0], base + Slot.op);
    ctl.floats[base / 2 + Slot.expiresAt] = 0;
    expect(request.read(1, 0)).toBe(true);
    const batch = new BatchReader(request);
    batch.begin();
    expect([batch.next(), batch.next(), batch.next()]).toEqual([1, -1, -1]);
    for (const done of [1, 2, 3]) {
      batch.begin(done);
      expect(batch.next()).toBe(-1);
    }
  });
});

test('a client that reads answers of garbage gets something of their size, or a clear error', () => {
  const { ctl, geometry } = privateCtl();
  const table = new SlotTable(ctl, geometry);
  const arena = new PayloadArena(ctl, geometry, 0);
  const base = table.base(1);
  const status = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0, 1) }, { weight: 1, arbitrary: word });
  const shape = fc.tuple(
    status,
    word,
    word,
    fc.constantFrom(0, 0, 1, 2, -1),
    fc.constantFrom(0, 1, 2, -1, 2 ** 31 - 1),
  );
  const operations = OPERATIONS.filter((operation) => operation !== undefined);
  fc.assert(
    fc.property(shape, word, words(40), float, fc.nat(2), fc.constantFrom(...codecs), (...given) => {
      const [fields, count, payload, float64, chunks, codec] = given;
      // Of an answer that is an error it keeps what it said of the one before.
      const view = new ResponseView(ctl, table, arena);
      ctl.words.set(fields, base + Slot.status);
      ctl.words[base + Slot.count] = count;
      ctl.floats[base / 2 + Slot.number] = float64;
      ctl.floats[base / 2 + Slot.version] = float64;
      if (chunks > 0) arena.claim(useOf(1, 0), chunks);
      ctl.words.set(payload, base + Slot.response / 4);
      ctl.words.set(payload, geometry.arenaOffset / 4);
      const room = Math.max(INLINE_BYTES, chunks * CHUNK_BYTES);
      for (const operation of operations) {
        const found = orKvsError(() => operation.decode(view.read(1, 0), codec as Codec<never>));
        if ((Array.isArray(found) && sizeOf(found) > room) || view.end - view.start > room) {
          expect.fail(`${operation.name} gave ${sizeOf(found)} bytes of ${room}`);
        }
      }
      arena.reclaim(useOf(1, 0));
    }),
    { numRuns: 800 },
  );
});

test('a reader of a store of garbage ends, within the segment', () => {
  const geometry = smallGeometry({ maxValueBytes: 8192 });
  const data = newSegment(geometry);
  const keys = new KeyStore(data, geometry, 0);
  for (let i = 0; i < 200; i++) keys.set(Buffer.from(`k${i}`), Buffer.alloc(i * 10, 'v'));
  const reader = new Reader(data, geometry);
  const sound = Int32Array.from(data.words);
  const sought = new Int32Array(1024);
  const place = fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: geometry.bucketsOffset / 4, max: geometry.bucketsOffset / 4 + 4096 }) },
    { weight: 2, arbitrary: fc.integer({ min: geometry.heapOffset / 4, max: geometry.heapOffset / 4 + 65_536 }) },
    { weight: 1, arbitrary: fc.integer({ min: DataHeader.sizeBytes / 4, max: geometry.dataBytes / 4 - 1 }) },
  );
  // Words of garbage, and those of other places: chains that run in circles, entries within entries.
  const change = fc.tuple(
    place,
    fc.oneof(
      word.map((value) => ({ value })),
      place.map((from) => ({ from })),
    ),
  );
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 200 }), (changes) => {
      for (const [at, what] of changes) data.words[at] = 'value' in what ? what.value : data.words[what.from];
      const isWithin = (): boolean => reader.start >= geometry.heapOffset && reader.end <= geometry.dataBytes;
      for (let i = 0; i < 200; i += 7) {
        const key = Buffer.from(`k${i}`);
        Buffer.from(sought.buffer).set(key);
        if (reader.find({ words: sought, byteLength: key.length, hash: hashOf(key) }) === 1)
          expect(isWithin()).toBe(true);
      }
      const scan = new DirectScan(reader, Buffer.alloc(0), ({ start, end }) => {
        expect(isWithin()).toBe(true);
        return end - start;
      });
      let cursor = 0;
      for (let pages = 0; cursor !== END; pages++) {
        expect(pages).toBeLessThan(1000);
        const page = scan.read(cursor);
        // A bucket that does not hold still is left to the server.
        if (page.cursor === cursor) break;
        cursor = page.cursor;
      }
      for (const [at] of changes) data.words[at] = sound[at];
    }),
    { numRuns: 150 },
  );
});

test('a header of garbage is refused, or what it says fits the file', () => {
  const path = temporaryPath();
  const sound = Buffer.alloc(CtlHeader.sizeBytes);
  fc.assert(
    fc.property(words(40), fc.boolean(), (values, isOurs) => {
      const header = new Int32Array(sound.buffer.slice(sound.byteOffset, sound.byteOffset + sound.length));
      header.set(isOurs ? values.slice(2) : values, isOurs ? 2 : 0);
      if (isOurs) header.set([0x6353564b, 2], 0);
      writeFileSync(path, Buffer.from(header.buffer));
      const fd = openSync(path, 'r');
      // No geometry has so small a file.
      expect(orKvsError(() => readCtlHeader(path, fd))).toBeUndefined();
      closeSync(fd);
    }),
    { numRuns: 300 },
  );
});

test('ring and arena of garbage: every step ends, and gives what there is', () => {
  const { ctl, geometry } = privateCtl();
  const queue = new TaskQueue(ctl, geometry);
  const arena = new PayloadArena(ctl, geometry, 3, 'responses');
  const step = fc.tuple(fc.nat(6), word, word);
  fc.assert(
    fc.property(
      words(geometry.queueCells),
      word,
      word,
      fc.array(step, { maxLength: 30 }),
      (cells, head, tail, steps) => {
        ctl.words.set(cells, geometry.queueOffset / 4);
        ctl.words.set([head], CtlHeader.queueHead);
        ctl.words.set([tail], CtlHeader.queueTail);
        const owners = geometry.chunkOwnersOffset / 4;
        for (const [i, cell] of cells.entries()) ctl.words[owners + i] = cell;
        for (const [kind, a, b] of steps) {
          if (kind === 0) queue.enqueue(a & (geometry.slots - 1));
          else if (kind === 1) expect(queue.dequeue()).toBeLessThan(geometry.queueCells);
          else if (kind === 2) expect(Number.isInteger(queue.length())).toBe(true);
          else if (kind === 3) arena.release(a & 0x3fffffff, b, a);
          else if (kind === 4) arena.isOwned(a & 0x3fffffff, b, Math.abs(a));
          else {
            const chunks = 1 + (Math.abs(b) % 64);
            const first = arena.claim(a & 0x3fffffff, chunks);
            if (first >= 0) {
              expect(first + chunks).toBeLessThanOrEqual(geometry.arenaChunks);
              expect(arena.isOwned(a & 0x3fffffff, first, chunks)).toBe(true);
            }
          }
        }
        // Made anew, it works.
        queue.reset();
        expect([queue.enqueue(5), queue.dequeue(), queue.dequeue()]).toEqual([true, 5, -1]);
      },
    ),
    { numRuns: 300 },
  );
});
