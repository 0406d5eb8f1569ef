/**
 * Writes a call's request into a slot it has claimed: inline if it fits, else into an extent of the arena. Of those it
 * knows how many chunks this client has, and claims no more than its limit; one request of any size always may.
 */
import { pad4 } from '../alignment.js';
import { byteLengthOf, itemBytes, tagOf, writeData, writeItem } from '../codec/batch.js';
import { unitsOf } from '../codec/given-bytes.js';
import { ASCII_SLACK } from '../codec/text.js';
import { PayloadArena } from '../exchange/payload-arena.js';
import { useOf } from '../exchange/slot-word.js';
import { INLINE_BYTES, Slot } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import type { Call } from './call.js';

/** UTF-8 takes at most three bytes per UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;

export class RequestWriter {
  readonly #ctl: SegmentViews;
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #arena: PayloadArena;
  readonly #maxChunks: number;
  #chunks = 0;
  /** After write() has found no room: whether only answers to this client's own requests will make some. */
  isAtLimit = false;

  constructor(ctl: SegmentViews, arena: PayloadArena, maxChunks: number) {
    this.#ctl = ctl;
    this.#words = ctl.words;
    this.#floats = ctl.floats;
    this.#arena = arena;
    this.#maxChunks = maxChunks;
  }

  /** Gives the extent of a request back, if it has one. */
  release(call: Call): void {
    if (call.extent < 0) return;
    this.#arena.release(call.use, call.extent, call.extentChunks);
    this.lost(call);
  }

  /** The extent was left to the worker of the request. */
  lost(call: Call): void {
    this.#chunks -= call.extentChunks;
    call.extent = -1;
    call.extentChunks = 0;
  }

  /**
   * @returns false when the arena has no room now. Then, and when it throws (the caller's stack may be full), there may be an
   * extent to release.
   */
  write(call: Call, base: number): boolean {
    call.use = useOf(call.slot, call.word);
    call.extent = -1;
    call.extentChunks = 0;
    if (!this.#writePayload(call, base)) return false;
    const words = this.#words;
    // Of a use that somebody died over: generations come again.
    if (words[base + Slot.replay] !== 0) words[base + Slot.replay] = 0;
    words[base + Slot.waiter] = 0;
    words[base + Slot.op] = call.operation.opcode;
    words[base + Slot.extent] = call.extent + 1;
    words[base + Slot.extentChunks] = call.extentChunks;
    words[base + Slot.after] = call.after;
    words[base + Slot.isAsync] = call.isAsync ? 1 : 0;
    this.#floats[base / 2 + Slot.argument] = call.argument;
    this.#floats[base / 2 + Slot.expiresAt] = call.expiresAt;
    return true;
  }

  /** Measures text only where it has to: most is ASCII, and then its length says it all. */
  #writePayload(call: Call, base: number): boolean {
    if (call.items === undefined && fitsInline(call)) {
      this.#writePair(call, base, base * 4 + Slot.request, false);
      return true;
    }
    if (call.mayBeAscii) {
      const offset = this.#reserve(call, base, unitsOfCall(call) + ASCII_SLACK);
      if (offset < 0) return false;
      if (this.#writeAll(call, base, offset)) return true;
      call.mayBeAscii = false;
      this.release(call);
    }
    const offset = this.#reserve(call, base, bytesOf(call));
    return offset >= 0 && this.#writeAll(call, base, offset);
  }

  /** @returns false: there is other text in it than ASCII, and room only for that */
  #writeAll(call: Call, base: number, offset: number): boolean {
    return call.items === undefined
      ? this.#writePair(call, base, offset, call.mayBeAscii)
      : this.#writeItems(call, base, offset);
  }

  #writePair(call: Call, base: number, offset: number, mayBeAscii: boolean): boolean {
    const keyBytes = writeData(this.#ctl, offset, call.key, mayBeAscii);
    if (keyBytes < 0) return false;
    const valueBytes = writeData(this.#ctl, offset + pad4(keyBytes), call.value, mayBeAscii);
    if (valueBytes < 0) return false;
    this.#words[base + Slot.keyBytes] = keyBytes;
    this.#words[base + Slot.valueBytes] = valueBytes;
    this.#words[base + Slot.codec] = tagOf(call.codec.tag, call.value, valueBytes);
    return true;
  }

  #writeItems({ items = [], codec, mayBeAscii }: Call, base: number, offset: number): boolean {
    let end = offset;
    for (let i = 0; i < items.length; i++) {
      end = writeItem(this.#ctl, end, items[i].key, items[i].value, codec.tag, mayBeAscii);
      if (end < 0) return false;
    }
    this.#words[base + Slot.keyBytes] = 0;
    this.#words[base + Slot.valueBytes] = end - offset;
    this.#words[base + Slot.codec] = codec.tag;
    return true;
  }

  /** @returns the byte offset to write at, -1: no room */
  #reserve(call: Call, base: number, bytes: number): number {
    if (bytes <= INLINE_BYTES) return base * 4 + Slot.request;
    const chunks = PayloadArena.chunksFor(bytes);
    this.isAtLimit = this.#chunks > 0 && this.#chunks + chunks > this.#maxChunks;
    const extent = this.isAtLimit ? -1 : this.#arena.claim(call.use, chunks);
    if (extent < 0) return -1;
    this.#chunks += chunks;
    call.extent = extent;
    call.extentChunks = chunks;
    return this.#arena.offsetOf(extent);
  }
}

/** Whether a pair fits a slot whatever its characters are. */
const fitsInline = ({ key, value }: Call): boolean =>
  pad4(unitsOf(key) * MAX_BYTES_PER_UNIT) + unitsOf(value) * MAX_BYTES_PER_UNIT <= INLINE_BYTES;

/** Size of the payload if all text is ASCII. */
const unitsOfCall = (call: Call): number =>
  call.items === undefined ? pad4(unitsOf(call.key)) + unitsOf(call.value) : call.itemUnits;

/** Exact size of the payload. */
function bytesOf({ items, key, value }: Call): number {
  if (items === undefined) return pad4(byteLengthOf(key)) + byteLengthOf(value);
  return items.reduce((sum, item) => sum + itemBytes(byteLengthOf(item.key), byteLengthOf(item.value)), 0);
}
