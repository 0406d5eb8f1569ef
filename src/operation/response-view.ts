/**
 * A client's view of the response in one of its slots. The server wrote it, but another client with wrong pointers may
 * have scribbled over it: lengths are bounded before use, so garbage gives a wrong value or a clear error, not a crash.
 */
import { copyOf } from '../codec/copy.js';
import { errorOfStatus, KvsError, Status } from '../errors.js';
import type { PayloadArena } from '../exchange/payload-arena.js';
import type { SlotTable } from '../exchange/slot-table.js';
import { useOf } from '../exchange/slot-word.js';
import { CHUNK_BYTES, INLINE_BYTES, Slot } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';

export const overwritten = (cause?: unknown): KvsError =>
  new KvsError('ERR_KVS_BAD_REQUEST', 'a response was overwritten by another process', { executed: 'unknown', cause });

/** What an answer says, for the operation to decode. */
export interface Answer {
  /** Payload bytes from `start` to `end`. */
  readonly source: Buffer;
  readonly start: number;
  readonly end: number;
  /** Success (true) or its negative kind: missing, not inserted, another version (false). */
  readonly isOk: boolean;
  readonly codec: number;
  readonly version: number;
  readonly number: number;
  readonly count: number;
}

export class ResponseView implements Answer {
  /** Payload bytes from `start` to `end` of `source`. */
  readonly source: Buffer;
  start = 0;
  end = 0;
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #table: SlotTable;
  readonly #arena: PayloadArena;
  #base = 0;

  constructor(ctl: SegmentViews, table: SlotTable, arena: PayloadArena) {
    this.source = ctl.bytes;
    this.#words = ctl.words;
    this.#floats = ctl.floats;
    this.#table = table;
    this.#arena = arena;
  }

  /** Looks at a DONE slot. @throws KvsError for an error status or an impossible payload */
  read(slot: number, slotWord: number): this {
    const words = this.#words;
    this.#base = this.#table.base(slot);
    const status = words[this.#base + Slot.status];
    if (status !== Status.ok && status !== Status.no) throw errorOfStatus(status);
    const bytes = words[this.#base + Slot.responseBytes];
    const extent = words[this.#base + Slot.responseExtent];
    const chunks = words[this.#base + Slot.responseChunks];
    let isSound = bytes >= 0;
    if (extent === 0) {
      isSound &&= bytes <= INLINE_BYTES;
      this.start = this.#base * 4 + Slot.response;
    } else {
      isSound &&= bytes <= chunks * CHUNK_BYTES && this.#arena.isOwned(useOf(slot, slotWord), extent - 1, chunks);
      this.start = this.#arena.offsetOf(extent - 1);
    }
    this.end = isSound ? this.start + bytes : this.start;
    if (!isSound) throw overwritten();
    return this;
  }

  /** A copy, that stays when the slot is used again. */
  copy(): Answer {
    const { isOk, codec, version, number, count } = this;
    const source = copyOf(this.source, this.start, this.end);
    return { source, start: 0, end: source.length, isOk, codec, version, number, count };
  }

  get isOk(): boolean {
    return this.#words[this.#base + Slot.status] === Status.ok;
  }

  get codec(): number {
    return this.#words[this.#base + Slot.responseCodec];
  }

  get version(): number {
    return this.#floats[this.#base / 2 + Slot.version];
  }

  get number(): number {
    return this.#floats[this.#base / 2 + Slot.number];
  }

  get count(): number {
    return this.#words[this.#base + Slot.count];
  }
}
