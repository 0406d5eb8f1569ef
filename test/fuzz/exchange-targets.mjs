/** Requests as a worker reads them, and answers as a client does. */
import { resolveCodec } from '#dist/codec/codec.js';
import { KvsError } from '#dist/errors.js';
import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { useOf } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { CHUNK_BYTES, geometryOf, INLINE_BYTES, MAX_KEY_BYTES, Slot } from '#dist/memory/layout.js';
import { viewsOf } from '#dist/memory/segment.js';
import { BatchReader } from '#dist/operation/batch-reader.js';
import { RequestView } from '#dist/operation/request-view.js';
import { ResponseView } from '#dist/operation/response-view.js';
import { ResponseWriter } from '#dist/operation/response-writer.js';
import { Scratch } from '#dist/operation/scratch.js';
import { OPERATIONS } from '#dist/operation/table.js';
import { NO_PINS } from '#dist/store/limbo.js';
import { Store } from '#dist/store/store.js';

import { Input, must } from './input.mjs';

/** @import { Codec, CodecName } from '#dist/codec/codec.js' */
/** @import { Target } from './targets.mjs' */

export const geometry = geometryOf({
  slots: 16,
  stripes: 4,
  workers: 2,
  maxValueBytes: 8192,
  maxMemoryBytes: 2 ** 20,
});
const SLOT = 1;
const USE = useOf(SLOT, 0);
const MAX_CHUNKS = 4;

/** @param {number} bytes */
export const segment = (bytes) => viewsOf(new SharedArrayBuffer(bytes));

/** @param {number} opcode */
export const operationOf = (opcode) => OPERATIONS[opcode];

/** @param {string} name */
const opcodeOf = (name) => OPERATIONS.findIndex((operation) => operation?.name === name);

/** A worker, with a store that is the same before each request. */
export class Served {
  ctl = segment(geometry.ctlBytes);
  data = segment(geometry.dataBytes);
  table = new SlotTable(this.ctl, geometry);
  arena = new PayloadArena(this.ctl, geometry, 0);
  request;
  response;
  #store;
  #sound;

  constructor() {
    Store.format(this.data, geometry);
    this.#store = new Store(this.data, geometry, 0, NO_PINS);
    this.request = new RequestView(this.ctl, this.data, this.table, this.arena);
    this.response = new ResponseWriter(this.ctl, this.table, this.arena);
    for (let i = 0; i < 60; i++) {
      this.write({ op: opcodeOf('set'), key: `k${i}`, value: 'v'.repeat(i * 20) });
      this.execute();
      this.arena.reclaim(USE);
    }
    this.#store.rest();
    this.#sound = Int32Array.from(this.data.words);
  }

  /** @param {{ op: number, key: string, value: string }} request */
  write({ op, key, value }) {
    const { words, bytes } = this.ctl;
    const base = this.table.base(SLOT);
    const valueOffset = (key.length + 3) & ~3;
    const chunks = valueOffset + value.length <= INLINE_BYTES ? 0 : MAX_CHUNKS;
    const first = chunks === 0 ? -1 : this.arena.claim(USE, chunks);
    must(chunks === 0 || first >= 0, 'the arena is full');
    words.set([op, key.length, value.length, first + 1, chunks, -1], base + Slot.op);
    words[base + Slot.codec] = 0;
    const at = chunks === 0 ? base * 4 + Slot.request : this.arena.offsetOf(first);
    bytes.write(key, at, 'latin1');
    bytes.write(value, at + valueOffset, 'latin1');
  }

  /** @returns whether the request was sound */
  execute() {
    const { request, response } = this;
    response.begin(SLOT, 0);
    const isSound = request.read(SLOT, 0);
    const batch = new BatchReader(request);
    const scratch = new Scratch(65_536);
    const askForSnapshot = () => 0;
    const context = { store: this.#store, maxValueBytes: 8192, batch, scratch, statistics, askForSnapshot };
    if (isSound) operationOf(request.opcode)?.apply(request, response, context);
    return isSound;
  }

  restore() {
    this.#store.rest();
    this.data.words.set(this.#sound);
    this.arena.reclaim(USE);
    must(this.arena.used() === 0, 'chunks of the arena are left');
  }
}

const statistics = () => /** @type {never} */ ({});

/** @returns {Target} */
export function requests() {
  const served = new Served();
  const { ctl, data, table, arena, request } = served;
  const base = table.base(SLOT);
  return {
    name: 'requests',
    files: ['operation/', 'codec/hash.js', 'store/hash-map.js'],
    run(bytes) {
      const input = new Input(bytes);
      ctl.words.fill(0x6b6b6b6b, geometry.slotsOffset / 4, geometry.queueOffset / 4);
      // Most often an opcode that there is.
      const op = input.word();
      const shape = [op & 0x100 ? op : op & 31, input.word(), input.word(), input.word(), input.word(), input.word()];
      const chunks = input.choice(4);
      const own = chunks > 0 ? arena.claim(USE, chunks) + 1 : 0;
      // Most often its own extent: where that is depends on those before.
      if ((op & 0x200) === 0) shape[3] = own;
      if ((op & 0x600) === 0) shape[4] = chunks;
      ctl.words.set(shape, base + Slot.op);
      ctl.words[base + Slot.codec] = input.word();
      ctl.floats[base / 2 + Slot.argument] = input.float();
      const payload = input.rest();
      ctl.bytes.set(payload.subarray(0, INLINE_BYTES), base * 4 + Slot.request);
      ctl.bytes.set(payload, own > 0 ? arena.offsetOf(own - 1) : geometry.arenaOffset);
      if (served.execute()) {
        const extent = shape[3];
        const first = extent === 0 ? base * 4 + Slot.request : arena.offsetOf(extent - 1);
        const room = extent === 0 ? INLINE_BYTES : shape[4] * CHUNK_BYTES;
        must(request.keyOffset === first && request.keyBytes <= MAX_KEY_BYTES, 'a key out of its request');
        must(request.valueOffset + request.valueBytes <= first + room, 'a value out of its request');
        must(extent === 0 || arena.isOwned(USE, extent - 1, shape[4]), "chunks of another's");
      }
      const isUntouched = (/** @type {number} */ from, /** @type {number} */ to) =>
        ctl.words.subarray(from, to).every((word) => word === 0x6b6b6b6b);
      must(isUntouched(table.base(0), base) && isUntouched(table.base(2), geometry.queueOffset / 4), 'beyond its slot');
      must(data.words[0] === 0 && data.words[1] === 0, "the store's header was written to");
      served.restore();
    },
  };
}

/** @returns {Target} */
export function batches() {
  const { ctl, table, request } = new Served();
  const base = table.base(SLOT);
  return {
    name: 'batches',
    files: ['operation/batch-reader.js', 'operation/request-view.js'],
    run(bytes) {
      const input = new Input(bytes);
      const done = input.choice(8);
      const valueBytes = Math.min(INLINE_BYTES, bytes.length);
      ctl.words.set([opcodeOf('mset'), 0, valueBytes, 0, 0, -1], base + Slot.op);
      ctl.bytes.fill(0x6b, base * 4 + Slot.request, base * 4 + Slot.request + INLINE_BYTES);
      ctl.bytes.set(input.rest().subarray(0, INLINE_BYTES), base * 4 + Slot.request);
      must(request.read(SLOT, 0), 'a sound request was refused');
      const batch = new BatchReader(request);
      batch.begin(done);
      for (let items = 0; batch.next() === 1; items++) {
        must(items < INLINE_BYTES / 12, 'a batch without end');
        must(batch.keyOffset >= request.valueOffset && batch.keyBytes >= 1, 'a key in front of its batch');
        must(batch.valueOffset >= batch.keyOffset + batch.keyBytes, 'a value in its key');
        must(batch.valueOffset + batch.valueBytes <= request.valueOffset + valueBytes, 'a value beyond its batch');
        batch.hash();
      }
    },
  };
}

/** @type {readonly CodecName[]} */
const NAMES = ['utf8', 'buffer', 'json', 'int32', 'float64'];
const custom = resolveCodec({ encode: String, decode: (bytes) => bytes.toString('latin1') });
/** @type {readonly Codec<unknown>[]} */
const CODECS = [...NAMES.map((name) => resolveCodec(name)), custom, custom, custom];

/** Passes what is documented. @template T @param {() => T} call @returns {T | undefined} */
function orKvsError(call) {
  try {
    return call();
  } catch (error) {
    if (error instanceof KvsError) return undefined;
    throw error;
  }
}

/** What a value takes up, whatever its kind. @param {unknown} value @returns {number} */
function sizeOf(value) {
  if (typeof value === 'string' || value instanceof Uint8Array) return value.length;
  if (!Array.isArray(value)) return 8;
  let size = 0;
  for (const part of value) size += sizeOf(part);
  return size;
}

/** @returns {Target} */
export function values() {
  const bytes = Buffer.from(/** @type {ArrayBuffer} */ (/** @type {unknown} */ (new SharedArrayBuffer(4096))));
  return {
    name: 'values',
    files: ['codec/codec.js', 'codec/text.js'],
    run(data) {
      const input = new Input(data);
      const [codec, tag, start] = [CODECS[input.choice(8)], input.choice(256), input.choice(2048)];
      const value = input.rest();
      const end = start + value.length;
      bytes.fill(0x7a).set(value, start);
      const found = orKvsError(() => codec.decode(bytes, start, end, tag));
      if (found !== undefined && codec !== CODECS[2])
        must(sizeOf(found) <= Math.max(8, end - start), 'more than there is');
    },
  };
}

/** @returns {Target} */
export function answers() {
  const ctl = segment(geometry.ctlBytes);
  const table = new SlotTable(ctl, geometry);
  const arena = new PayloadArena(ctl, geometry, 0);
  const view = new ResponseView(ctl, table, arena);
  const base = table.base(SLOT);
  const operations = OPERATIONS.filter((operation) => operation !== undefined);
  return {
    name: 'answers',
    files: ['operation/', 'errors.js'],
    run(bytes) {
      const input = new Input(bytes);
      const operation = operations[input.choice(16) % operations.length];
      const codec = /** @type {Codec<never>} */ (CODECS[input.choice(8)]);
      const shape = [input.word(), input.word(), input.word(), input.word(), input.word()];
      ctl.words.set(shape, base + Slot.status);
      ctl.words[base + Slot.count] = input.word();
      ctl.floats[base / 2 + Slot.number] = input.float();
      ctl.floats[base / 2 + Slot.version] = input.float();
      const chunks = input.choice(4);
      if (chunks > 0) arena.claim(USE, chunks);
      const payload = input.rest();
      ctl.bytes.set(payload.subarray(0, INLINE_BYTES), base * 4 + Slot.response);
      ctl.bytes.set(payload, geometry.arenaOffset);
      const room = Math.max(INLINE_BYTES, chunks * CHUNK_BYTES);
      const found = orKvsError(() => operation.decode(view.read(SLOT, 0), codec));
      must(!Array.isArray(found) || sizeOf(found) <= room, `${operation.name} gave ${sizeOf(found)} bytes of ${room}`);
      arena.reclaim(USE);
    },
  };
}
