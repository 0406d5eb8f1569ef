/**
 * A worker's view of one request in shared memory. Clients may write anything at any time: every length and reference
 * is read once, checked, and kept here; what the bytes say afterwards can only harm the value they are.
 */
import { pad4 } from '../alignment.js';
import { hashWords } from '../codec/hash.js';
import type { PayloadArena } from '../exchange/payload-arena.js';
import type { SlotTable } from '../exchange/slot-table.js';
import { useOf } from '../exchange/slot-word.js';
import {
  CHUNK_BYTES,
  DataHeader,
  INLINE_BYTES,
  KEEP_EXPIRY,
  MAX_EXPIRES_AT,
  MAX_KEY_BYTES,
  Slot,
} from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';

export class RequestView {
  opcode = 0;
  codec = 0;
  argument = 0;
  /** When what is written expires (hostMs()), 0: never, KEEP_EXPIRY: when what it replaces does. */
  expiresAt = 0;
  keyBytes = 0;
  valueBytes = 0;
  /** Byte offset of the key in the ctl segment; the value follows at the next multiple of 4. */
  keyOffset = 0;
  valueOffset = 0;
  readonly source: SegmentViews;
  readonly #table: SlotTable;
  readonly #arena: PayloadArena;
  readonly #seed0: number;
  readonly #seed1: number;

  constructor(ctl: SegmentViews, data: SegmentViews, table: SlotTable, arena: PayloadArena) {
    this.source = ctl;
    this.#table = table;
    this.#arena = arena;
    this.#seed0 = data.words[DataHeader.hashSeed];
    this.#seed1 = data.words[DataHeader.hashSeed + 1];
  }

  /** Reads and checks the request in a slot. @returns false when it is malformed */
  read(slot: number, slotWord: number): boolean {
    const { words, floats } = this.source;
    const base = this.#table.base(slot);
    this.opcode = words[base + Slot.op];
    this.codec = words[base + Slot.codec] & 0xff;
    this.argument = floats[base / 2 + Slot.argument];
    this.expiresAt = floats[base / 2 + Slot.expiresAt];
    this.keyBytes = words[base + Slot.keyBytes];
    this.valueBytes = words[base + Slot.valueBytes];
    if (this.keyBytes < 0 || this.keyBytes > MAX_KEY_BYTES || this.valueBytes < 0) return false;
    const isExpiry = this.expiresAt === KEEP_EXPIRY || (this.expiresAt >= 0 && this.expiresAt <= MAX_EXPIRES_AT);
    if (!isExpiry) return false;
    const total = pad4(this.keyBytes) + this.valueBytes;
    const extent = words[base + Slot.extent];
    if (extent === 0) {
      if (total > INLINE_BYTES) return false;
      this.keyOffset = base * 4 + Slot.request;
    } else {
      const chunks = words[base + Slot.extentChunks];
      if (total > chunks * CHUNK_BYTES) return false;
      if (!this.#arena.isOwned(useOf(slot, slotWord), extent - 1, chunks)) return false;
      this.keyOffset = this.#arena.offsetOf(extent - 1);
    }
    this.valueOffset = this.keyOffset + pad4(this.keyBytes);
    return true;
  }

  /** Whether what is written expires when what it replaces does. */
  get keepsExpiry(): boolean {
    return this.expiresAt === KEEP_EXPIRY;
  }

  /** Hash of the key, or of `bytes` bytes at another place of the request, or of its copy in another segment. */
  hash(offset = this.keyOffset, bytes = this.keyBytes, { words } = this.source): number {
    return hashWords(words, offset / 4, bytes, this.#seed0, this.#seed1);
  }
}
