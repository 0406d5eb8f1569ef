/**
 * Direct reads: finds entries in the read-only mapping of the data segment, without the server, a system call or a
 * write. Nothing is locked, so what is read may be torn: every offset is bounded before use, and what was seen counts
 * only if afterwards the bucket word is still the same and then the entry's incarnation is. Both checks, in that order:
 * the bucket word says that the entry is published, the incarnation that it is still the same publication.
 * The same holds for an entry that did not match. A chain seen without the key means that the key was missing at some
 * moment: entries never move between bucket words. Checked exhaustively (design models, reader).
 */
import { pad4 } from '../alignment.js';
import { hasPassed } from '../memory/clock.js';
import {
  BUCKET_BYTES,
  BUCKET_ENTRIES,
  BUCKET_WORDS,
  CODEC_SHIFT,
  Entry,
  ENTRY_HEADER_BYTES,
  ENTRY_HEADER_WORDS,
  EXPIRES_AT,
  expiryBytesOf,
  expiryWordsOf,
  type Geometry,
  GRANULE_BYTES,
  KEY_BYTES_MASK,
} from '../memory/layout.js';
import { LINE_WORDS } from '../memory/fetched.js';
import type { SegmentViews } from '../memory/segment.js';
import { exchange, load } from '../memory/words.js';

/** Overflow buckets followed before a chain is taken for garbage. */
export const MAX_CHAIN = 1024;
/** Looks at one bucket word that is being written again and again. */
const MAX_TRIES = 64;
/** Earlier loads may pass later ones: a read-modify-write of private memory keeps them apart. */
const NEEDS_FENCE = process.arch !== 'x64';

export const Found = { missing: 0, found: 1, /** Too much is being written: ask the server. */ unstable: 2 } as const;
export type Found = (typeof Found)[keyof typeof Found];

/** A key in memory of the caller's: its bytes from the first word on. */
export interface SoughtKey {
  readonly words: Int32Array;
  readonly byteLength: number;
  readonly hash: number;
}

export class Reader {
  /** Bytes of the whole data segment; value bytes are between `start` and `end` after find(). */
  readonly bytes: Buffer;
  start = 0;
  end = 0;
  codec = 0;
  version = 0;
  /** When it expires (hostMs()), 0: never. */
  expiresAt = 0;
  /** After look() only. */
  hash = 0;
  keyStart = 0;
  keyBytes = 0;
  /** Where the entry hangs, and what hung there: what isCurrent() compares later. */
  bucketWord = 0;
  entryWord = 0;
  #incarnation = 0;
  readonly #fence = new Int32Array(new SharedArrayBuffer(4));
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #firstBucket: number;
  readonly #bucketMask: number;
  readonly #granuleMask: number;
  readonly #firstGranule: number;
  /** The last granules at which the header of an entry, or an overflow bucket, has room. */
  readonly #lastEntry: number;
  readonly #lastOverflow: number;
  readonly #dataBytes: number;
  readonly #maxValueBytes: number;

  constructor(data: SegmentViews, geometry: Geometry) {
    this.bytes = data.bytes;
    this.#words = data.words;
    this.#floats = data.floats;
    this.#firstBucket = geometry.bucketsOffset / 4;
    this.#bucketMask = geometry.buckets - 1;
    this.#granuleMask = 2 ** geometry.granuleBits - 1;
    this.#firstGranule = geometry.heapOffset / GRANULE_BYTES;
    this.#lastEntry = Math.floor((geometry.dataBytes - ENTRY_HEADER_BYTES) / GRANULE_BYTES);
    this.#lastOverflow = Math.floor((geometry.dataBytes - BUCKET_BYTES) / GRANULE_BYTES);
    this.#dataBytes = geometry.dataBytes;
    this.#maxValueBytes = geometry.maxValueBytes;
  }

  /**
   * Looks a key up; one that has expired is missing. Of a key found the fields tell more; they, and the bytes, are true
   * only if isStillThere() says so after they were used.
   */
  find(key: SoughtKey): Found {
    const { hash } = key;
    const words = this.#words;
    const tagMask = ~this.#granuleMask;
    let bucket = this.bucketAt(hash & this.#bucketMask);
    for (let hops = 0; hops < MAX_CHAIN; hops++) {
      for (let at = bucket; at < bucket + BUCKET_ENTRIES; at++) {
        const word = words[at];
        if (word === 0 || ((word ^ hash) & tagMask) !== 0) continue;
        const found = this.#lookAt(at, key);
        if (found !== Found.missing) return found;
      }
      const overflow = load(words, bucket + BUCKET_ENTRIES);
      if (overflow < this.#firstGranule || overflow > this.#lastOverflow) return Found.missing;
      bucket = overflow << 2;
    }
    return Found.unstable;
  }

  /** Touches the bucket where a look-up begins. @returns something of it */
  fetchBucket(hash: number): number {
    return this.#words[this.bucketAt(hash & this.#bucketMask)];
  }

  /** Touches the entry that a look-up is likely to find, up to where the value usually begins. @returns something of it */
  fetchEntry(hash: number): number {
    const words = this.#words;
    const bucket = this.bucketAt(hash & this.#bucketMask);
    for (let at = bucket; at < bucket + BUCKET_ENTRIES; at++) {
      const word = words[at];
      if (word === 0 || ((word ^ hash) & ~this.#granuleMask) !== 0) continue;
      // What is outside the segment reads as undefined, and becomes 0.
      const entry = (word & this.#granuleMask) << 2;
      return words[entry] ^ words[entry + LINE_WORDS];
    }
    return 0;
  }

  /** Looks at a bucket word until what it names has held still. */
  #lookAt(at: number, key: SoughtKey): Found {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const word = load(this.#words, at);
      if (word === 0 || ((word ^ key.hash) & ~this.#granuleMask) !== 0) return Found.missing;
      const granule = word & this.#granuleMask;
      if (granule < this.#firstGranule || granule > this.#lastEntry) return Found.missing;
      if (this.#matches(at, word, granule, key) && !this.isExpired) return Found.found;
      if (this.isStillThere()) return Found.missing;
    }
    return Found.unstable;
  }

  #matches(at: number, word: number, granule: number, key: SoughtKey): boolean {
    const words = this.#words;
    const entry = granule << 2;
    this.bucketWord = at;
    this.entryWord = word;
    // SYNC: first of all; pairs with put().
    this.#incarnation = load(words, entry + Entry.incarnation);
    if (words[entry + Entry.hash] !== key.hash) return false;
    const shape = words[entry + Entry.shape];
    if ((shape & KEY_BYTES_MASK) !== key.byteLength) return false;
    if (!this.#measure(granule, shape, key.byteLength)) return false;
    return this.#isKeyAt(entry + ENTRY_HEADER_WORDS + expiryWordsOf(shape), key);
  }

  /** Reads the rest of a header. @returns whether the value can lie where it says */
  #measure(granule: number, shape: number, keyBytes: number): boolean {
    const valueBytes = this.#words[(granule << 2) + Entry.valueBytes];
    const expiryBytes = expiryBytesOf(shape);
    this.start = granule * GRANULE_BYTES + ENTRY_HEADER_BYTES + expiryBytes + pad4(keyBytes);
    this.end = this.start + valueBytes;
    this.expiresAt = expiryBytes === 0 ? 0 : this.#floats[granule * 2 + EXPIRES_AT] || Number.NaN;
    this.codec = shape >>> CODEC_SHIFT;
    this.version = this.#floats[granule * 2 + Entry.version];
    return valueBytes >= 0 && valueBytes <= this.#maxValueBytes && this.end <= this.#dataBytes;
  }

  #isKeyAt(first: number, key: SoughtKey): boolean {
    const words = this.#words;
    const whole = key.byteLength >> 2;
    for (let i = 0; i < whole; i++) if (words[first + i] !== key.words[i]) return false;
    const tailBits = (key.byteLength & 3) * 8;
    return tailBits === 0 || ((words[first + whole] ^ key.words[whole]) & ((1 << tailBits) - 1)) === 0;
  }

  /** Word index of a bucket. */
  bucketAt(index: number): number {
    return this.#firstBucket + index * BUCKET_WORDS;
  }

  get bucketCount(): number {
    return this.#bucketMask + 1;
  }

  /** The overflow bucket that follows a bucket, 0: none. */
  overflowOf(bucket: number): number {
    const overflow = load(this.#words, bucket + BUCKET_ENTRIES);
    return overflow < this.#firstGranule || overflow > this.#lastOverflow ? 0 : overflow << 2;
  }

  /** The first word from `at` on that names something, `end` if none before it does. */
  nextUsed(at: number, end: number): number {
    const words = this.#words;
    let next = at;
    while (next < end && words[next] === 0) next++;
    return next;
  }

  /**
   * Looks at whatever the bucket word `at` names; its key is between `keyStart` and `start`, padded. True only if
   * isStillThere() says so after it was used, the answer that it cannot be read (unstable) too.
   */
  look(at: number): Found {
    const words = this.#words;
    const word = load(words, at);
    this.bucketWord = at;
    this.entryWord = word;
    const { granule } = this;
    if (granule < this.#firstGranule || granule > this.#lastEntry) return word === 0 ? Found.missing : Found.unstable;
    const entry = granule << 2;
    // SYNC: first of all; pairs with put().
    this.#incarnation = load(words, entry + Entry.incarnation);
    this.hash = words[entry + Entry.hash];
    const shape = words[entry + Entry.shape];
    this.keyBytes = shape & KEY_BYTES_MASK;
    this.keyStart = granule * GRANULE_BYTES + ENTRY_HEADER_BYTES + expiryBytesOf(shape);
    return this.#measure(granule, shape, this.keyBytes) ? Found.found : Found.unstable;
  }

  /** Whether the entry looked at last is still the published one. SYNC: last of all; pairs with put(). */
  isStillThere(): boolean {
    const words = this.#words;
    if (NEEDS_FENCE) exchange(this.#fence, 0, 0);
    if (load(words, this.bucketWord) !== this.entryWord) return false;
    const incarnation = load(words, ((this.entryWord & this.#granuleMask) << 2) + Entry.incarnation);
    return incarnation === this.#incarnation && (incarnation & 1) === 0;
  }

  /** Whether the entry looked at last is absent by now, though the map still names it. */
  get isExpired(): boolean {
    return this.expiresAt !== 0 && hasPassed(this.expiresAt);
  }

  /** Of the entry looked at last. */
  get granule(): number {
    return this.entryWord & this.#granuleMask;
  }

  /** Whether a bucket word still names the publication of an entry that had this version. */
  isCurrent(bucketWord: number, entryWord: number, version: number): boolean {
    if (load(this.#words, bucketWord) !== entryWord) return false;
    return this.#floats[(entryWord & this.#granuleMask) * 2 + Entry.version] === version;
  }
}
