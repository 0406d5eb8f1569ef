/** Writes a call's request into a slot it has claimed: inline if it fits, else into an extent of the arena. */
import { byteLengthOf, itemBytes, tagOf, writeData, writeItem } from '../codec/batch.js';
import { PayloadArena } from '../exchange/payload-arena.js';
import { useOf } from '../exchange/slot-word.js';
import { pad4 } from '../memory/copy.js';
import { INLINE_BYTES, Slot } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import type { Call } from './call.js';

/** UTF-8 takes at most three bytes per UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;

/** Room that text or bytes surely fit in, without looking at them. */
const boundOf = (data: string | Uint8Array): number =>
  typeof data === 'string' ? data.length * MAX_BYTES_PER_UNIT : data.length;

export class RequestWriter {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #bytes: Buffer;
  readonly #arena: PayloadArena;

  constructor(ctl: SegmentViews, arena: PayloadArena) {
    this.#words = ctl.words;
    this.#floats = ctl.floats;
    this.#bytes = ctl.bytes;
    this.#arena = arena;
  }

  /** @returns false when the arena has no room now; nothing is claimed then */
  write(call: Call, base: number): boolean {
    const words = this.#words;
    call.use = useOf(call.slot, call.word);
    const offset = this.#reserve(call, base);
    if (offset < 0) return false;
    words[base + Slot.waiter] = 0;
    words[base + Slot.op] = call.operation.opcode;
    words[base + Slot.extent] = call.extent + 1;
    words[base + Slot.extentChunks] = call.extentChunks;
    words[base + Slot.after] = call.after;
    words[base + Slot.isAsync] = call.isAsync ? 1 : 0;
    this.#floats[base / 2 + Slot.argument] = call.argument;
    if (call.items === undefined) this.#writePair(call, base, offset);
    else this.#writeItems(call, base, offset);
    return true;
  }

  #writePair(call: Call, base: number, offset: number): void {
    const keyBytes = writeData(this.#bytes, offset, call.key);
    const valueBytes = writeData(this.#bytes, offset + pad4(keyBytes), call.value);
    this.#words[base + Slot.keyBytes] = keyBytes;
    this.#words[base + Slot.valueBytes] = valueBytes;
    this.#words[base + Slot.codec] = tagOf(call.codec.tag, call.value, valueBytes);
  }

  #writeItems(call: Call, base: number, offset: number): void {
    let end = offset;
    for (const { key, value } of call.items ?? []) end = writeItem(this.#bytes, end, key, value, call.codec.tag);
    this.#words[base + Slot.keyBytes] = 0;
    this.#words[base + Slot.valueBytes] = end - offset;
    this.#words[base + Slot.codec] = call.codec.tag;
  }

  /** @returns the byte offset to write at, -1: no room */
  #reserve(call: Call, base: number): number {
    call.extent = -1;
    call.extentChunks = 0;
    if (call.items === undefined && pad4(boundOf(call.key)) + boundOf(call.value) <= INLINE_BYTES) {
      return base * 4 + Slot.request;
    }
    const bytes = requestBytes(call);
    if (bytes <= INLINE_BYTES) return base * 4 + Slot.request;
    const chunks = PayloadArena.chunksFor(bytes);
    const extent = this.#arena.claim(call.use, chunks);
    if (extent < 0) return -1;
    call.extent = extent;
    call.extentChunks = chunks;
    return this.#arena.offsetOf(extent);
  }
}

/** Exact size of the payload. */
function requestBytes(call: Call): number {
  if (call.items === undefined) return pad4(byteLengthOf(call.key)) + byteLengthOf(call.value);
  return call.items.reduce((sum, { key, value }) => sum + itemBytes(byteLengthOf(key), byteLengthOf(value)), 0);
}
