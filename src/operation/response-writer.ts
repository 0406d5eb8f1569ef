/**
 * Where a worker writes one response: line 1 of the slot, its inline area, or an extent claimed for it. The result is
 * published by the slot's step to DONE; until then nobody reads it.
 */
import type { AnswerQuota } from '../exchange/answer-quota.js';
import { PayloadArena } from '../exchange/payload-arena.js';
import type { SlotTable } from '../exchange/slot-table.js';
import { ownerOf, useOf } from '../exchange/slot-word.js';
import { INLINE_BYTES, Slot } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { Status } from '../errors.js';

export class ResponseWriter {
  /** The segment to write bytes to, at `offset`, after reserve(). */
  readonly target: SegmentViews;
  offset = 0;
  readonly #table: SlotTable;
  readonly #arena: PayloadArena;
  readonly #quota: AnswerQuota | undefined;
  readonly #onReserve: ((bytes: number) => void) | undefined;
  #base = 0;
  #use = 0;
  #owner = 0;
  /** What was said last: what stands in the slot, anybody may have written. */
  #status: number = Status.ok;
  #isInArena = false;

  /** @param onReserve told of each payload that gets room in the arena, before it is copied there */
  constructor(
    ctl: SegmentViews,
    table: SlotTable,
    arena: PayloadArena,
    quota?: AnswerQuota,
    onReserve?: (bytes: number) => void,
  ) {
    this.target = ctl;
    this.#table = table;
    this.#arena = arena;
    this.#quota = quota;
    this.#onReserve = onReserve;
  }

  /**
   * Starts the response of a slot: an empty success. Writes what is not so already, which is nothing where the slot's last
   * answer was one too: the client is looking at this line, and it would have to be fetched back from there.
   */
  begin(slot: number, slotWord: number): void {
    this.#base = this.#table.base(slot);
    this.#use = useOf(slot, slotWord);
    this.#owner = ownerOf(slotWord);
    const { words } = this.target;
    const base = this.#base;
    this.#status = Status.ok;
    this.#isInArena = false;
    makeSure(words, base + Slot.status, Status.ok);
    makeSure(words, base + Slot.responseCodec, 0);
    makeSure(words, base + Slot.responseBytes, 0);
    makeSure(words, base + Slot.responseExtent, 0);
    makeSure(words, base + Slot.responseChunks, 0);
    makeSure(words, base + Slot.count, 0);
  }

  /** Makes room for `bytes` of payload at `offset`. @returns false when the arena has none: the status is `busy` */
  reserve(bytes: number): boolean {
    const { words } = this.target;
    if (bytes <= INLINE_BYTES) {
      this.offset = this.#base * 4 + Slot.response;
    } else {
      const chunks = PayloadArena.chunksFor(bytes);
      const isAdmitted = this.#quota?.admits(this.#owner, chunks) !== false;
      const first = isAdmitted ? this.#arena.claim(this.#use, chunks) : -1;
      if (first < 0) {
        this.status(Status.busy);
        return false;
      }
      this.#isInArena = true;
      this.#onReserve?.(bytes);
      words[this.#base + Slot.responseExtent] = first + 1;
      words[this.#base + Slot.responseChunks] = chunks;
      this.offset = this.#arena.offsetOf(first);
    }
    words[this.#base + Slot.responseBytes] = bytes;
    return true;
  }

  /** Takes back what reserve() claimed, if anything. */
  unreserve(): void {
    const { words } = this.target;
    const extent = words[this.#base + Slot.responseExtent];
    if (extent !== 0) this.#arena.release(this.#use, extent - 1, words[this.#base + Slot.responseChunks]);
    words[this.#base + Slot.responseExtent] = 0;
    words[this.#base + Slot.responseBytes] = 0;
    this.#isInArena = false;
  }

  status(status: number): void {
    if (status === this.#status) return;
    this.#status = status;
    this.target.words[this.#base + Slot.status] = status;
  }

  /** Whether the answer stands in the arena. */
  get isInArena(): boolean {
    return this.#isInArena;
  }

  /** Whether reserve() found no room. */
  get isBusy(): boolean {
    return this.#status === Status.busy;
  }

  /** Whether the request has failed: it was executed, and could not do what it was to do. */
  get isFailure(): boolean {
    return this.#status > Status.no && this.#status !== Status.busy;
  }

  /** Whether the request was malformed. */
  get isRefused(): boolean {
    return this.#status === Status.badRequest;
  }

  codec(tag: number): void {
    this.target.words[this.#base + Slot.responseCodec] = tag;
  }

  version(version: number): void {
    this.target.floats[this.#base / 2 + Slot.version] = version;
  }

  number(value: number): void {
    this.target.floats[this.#base / 2 + Slot.number] = value;
  }

  /** How many items of a batch were handled. */
  count(count: number): void {
    this.target.words[this.#base + Slot.count] = count;
  }
}

function makeSure(words: Int32Array, index: number, value: number): void {
  if (words[index] !== value) words[index] = value;
}
