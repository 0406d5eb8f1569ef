/** Headers of entries, by granule: reads them, and writes those of entries that are not published yet. */
import { pad4 } from '../alignment.js';
import { hasPassed } from '../memory/clock.js';
import {
  CODEC_SHIFT,
  Entry,
  ENTRY_HEADER_BYTES,
  EXPIRES,
  EXPIRES_AT,
  expiryBytesOf,
  KEY_BYTES_MASK,
  MAX_EXPIRES_AT,
} from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { store } from '../memory/words.js';

/** What an entry that expires takes more than one that does not. */
export const EXPIRY_BYTES = 8;

/** Bytes of the block that an entry needs. */
export const entryBytes = (keyBytes: number, valueBytes: number, expires: boolean): number =>
  ENTRY_HEADER_BYTES + (expires ? EXPIRY_BYTES : 0) + pad4(keyBytes) + valueBytes;

export class EntryHeaders {
  protected readonly words: Int32Array;
  protected readonly floats: Float64Array;
  readonly #bytes: Buffer;

  constructor(data: SegmentViews) {
    this.words = data.words;
    this.floats = data.floats;
    this.#bytes = data.bytes;
  }

  /** Writes the header of a block that is being filled; not readable until put(). @param expiresAt 0: never */
  writeHeader(
    granule: number,
    hash: number,
    keyBytes: number,
    valueBytes: number,
    codec: number,
    expiresAt: number,
  ): void {
    const { words } = this;
    const entry = granule << 2;
    store(words, entry + Entry.incarnation, 1);
    words[entry + Entry.shape] = keyBytes | (codec << CODEC_SHIFT) | (expiresAt === 0 ? 0 : EXPIRES);
    words[entry + Entry.valueBytes] = valueBytes;
    words[entry + Entry.hash] = hash;
    if (expiresAt !== 0) this.floats[granule * 2 + EXPIRES_AT] = expiresAt;
  }

  /**
   * Gives a prepared entry with room for it the expiry of the one it is to replace (0: of none). Under the lock; without
   * an expiry all that follows the header moves.
   */
  inheritExpiry(granule: number, from: number): void {
    const expiresAt = from === 0 ? 0 : this.expiresAtOf(from);
    if (expiresAt !== 0) {
      this.floats[granule * 2 + EXPIRES_AT] = expiresAt;
      return;
    }
    const start = this.keyOffsetOf(granule);
    const end = this.valueOffsetOf(granule) + this.valueBytesOf(granule);
    this.#bytes.copyWithin(start - 8, start, end);
    this.words[(granule << 2) + Entry.shape] &= ~EXPIRES;
  }

  /** Of an entry that is not published yet. */
  setHash(granule: number, hash: number): void {
    this.words[(granule << 2) + Entry.hash] = hash;
  }

  hashOf(granule: number): number {
    return this.words[(granule << 2) + Entry.hash];
  }

  protected shapeOf(granule: number): number {
    return this.words[(granule << 2) + Entry.shape];
  }

  keyBytesOf(granule: number): number {
    return this.shapeOf(granule) & KEY_BYTES_MASK;
  }

  codecOf(granule: number): number {
    return this.shapeOf(granule) >>> CODEC_SHIFT;
  }

  valueBytesOf(granule: number): number {
    return this.words[(granule << 2) + Entry.valueBytes];
  }

  versionOf(granule: number): number {
    return this.floats[granule * 2 + Entry.version];
  }

  /** When it expires (hostMs()), 0: never. */
  expiresAtOf(granule: number): number {
    return (this.shapeOf(granule) & EXPIRES) === 0 ? 0 : this.floats[granule * 2 + EXPIRES_AT];
  }

  /** Whether it is absent by now, though the map still names it. */
  isExpired(granule: number): boolean {
    return (this.shapeOf(granule) & EXPIRES) !== 0 && hasPassed(this.floats[granule * 2 + EXPIRES_AT]);
  }

  /** Whether what it says of when it expires is a moment. */
  hasSoundExpiry(granule: number): boolean {
    if ((this.shapeOf(granule) & EXPIRES) === 0) return true;
    const expiresAt = this.floats[granule * 2 + EXPIRES_AT];
    return expiresAt > 0 && expiresAt <= MAX_EXPIRES_AT;
  }

  /** Byte offset of the key in the data segment. */
  keyOffsetOf(granule: number): number {
    return granule * 16 + ENTRY_HEADER_BYTES + expiryBytesOf(this.shapeOf(granule));
  }

  /** Byte offset of the value in the data segment. */
  valueOffsetOf(granule: number): number {
    return this.keyOffsetOf(granule) + pad4(this.keyBytesOf(granule));
  }

  /** Bytes of the block that the entry needs. */
  bytesOf(granule: number): number {
    return this.valueOffsetOf(granule) - granule * 16 + this.valueBytesOf(granule);
  }
}
