/** What one bucket word names: whether that can be served. The checks are those of a server that takes a region over. */
import { hashWords } from '../codec/hash.js';
import { DataHeader, Entry, MAX_KEY_BYTES } from '../memory/layout.js';
import { load } from '../memory/words.js';
import { HashMap } from '../store/hash-map.js';
import { BUCKET_CLASS } from '../store/size-class.js';
import { MAX_VERSION } from '../store/store-rebuild.js';
import type { FindingCode } from './findings.js';
import type { HeapMap } from './heap-map.js';
import { hex, type Look } from './look.js';

/** Looks at a word that is written again and again. */
const TRIES = 16;

/** `changing`: it was written all the while. */
export type Seen = 'empty' | 'changing' | 'sound' | 'wrong';

export class Entries {
  /** Of the last look(). */
  granule = 0;
  version = 0;
  readonly #look: Look;
  readonly #heap: HeapMap;
  readonly #map: HashMap;
  readonly #granuleMask: number;

  constructor(look: Look, heap: HeapMap) {
    this.#look = look;
    this.#heap = heap;
    this.#map = new HashMap(look.data, look.geometry, 0);
    this.#granuleMask = 2 ** look.geometry.granuleBits - 1;
  }

  /**
   * Looks at the bucket word `at` of `bucket`. What is found counts only if the word still names the same publication
   * of the entry afterwards, as in a direct read.
   * @param report called with what is wrong
   */
  look(bucket: number, at: number, report: (what: FindingCode, describe: () => string) => void): Seen {
    const { words } = this.#look.data;
    for (let tries = 0; tries < TRIES; tries++) {
      const word = load(words, at);
      if (word === 0) return 'empty';
      this.granule = word & this.#granuleMask;
      const incarnation = this.#incarnation();
      const wrong = this.#wrongWith(bucket, word);
      if (load(words, at) !== word || this.#incarnation() !== incarnation) continue;
      if (wrong === undefined) return 'sound';
      const [what, describe] = wrong;
      report(what, () => `${describe()}, word ${hex(word)}, incarnation ${incarnation}`);
      return 'wrong';
    }
    return 'changing';
  }

  /** Of the block in hand, wherever that is. */
  #incarnation(): number {
    return this.#look.data.words[(this.granule << 2) + Entry.incarnation] ?? 0;
  }

  #wrongWith(bucket: number, word: number): readonly [FindingCode, () => string] | undefined {
    const { granule } = this;
    const map = this.#map;
    const isEntryBlock = this.#heap.isUsed(granule) && this.#heap.sizeClassAt(granule) !== BUCKET_CLASS;
    if (!isEntryBlock) return ['entry-block', () => `granule ${granule}`];
    if ((this.#incarnation() & 1) !== 0) return ['entry-unpublished', () => `granule ${granule}`];
    const hash = map.hashOf(granule);
    const keyBytes = map.keyBytesOf(granule);
    if (keyBytes < 1 || keyBytes > MAX_KEY_BYTES) return ['entry-key-length', () => `key of ${keyBytes} bytes`];
    const { geometry } = this.#look;
    const valueBytes = map.valueBytesOf(granule);
    if (valueBytes < 0 || valueBytes > geometry.maxValueBytes)
      return ['entry-value-length', () => `value of ${valueBytes} bytes`];
    const bytes = map.bytesOf(granule);
    const blockBytes = this.#heap.blockBytes(granule);
    if (bytes > blockBytes) return ['entry-size', () => `${bytes} bytes in a block of ${blockBytes}`];
    if (!map.hasSoundExpiry(granule)) return ['entry-expiry', () => `expires at ${map.expiresAtOf(granule)}`];
    const keyHash = this.#hashOfKey(granule, keyBytes);
    if (keyHash !== hash) return ['entry-hash', () => `says ${hex(hash)}, its key's is ${hex(keyHash)}`];
    if ((hash & (geometry.buckets - 1)) !== bucket)
      return ['entry-bucket', () => `bucket ${bucket}, hash ${hex(hash)}`];
    if (((word ^ hash) & ~this.#granuleMask) !== 0) return ['entry-tag', () => `hash ${hex(hash)}`];
    this.version = map.versionOf(granule);
    const isSound = this.version > 0 && this.version < MAX_VERSION;
    const stripe = bucket & (geometry.stripes - 1);
    return isSound && this.version % geometry.stripes === stripe
      ? undefined
      : ['entry-version', () => `version ${this.version}, stripe ${stripe}`];
  }

  #hashOfKey(granule: number, keyBytes: number): number {
    const { words } = this.#look.data;
    const [seed0, seed1] = [words[DataHeader.hashSeed], words[DataHeader.hashSeed + 1]];
    return hashWords(words, this.#map.keyOffsetOf(granule) / 4, keyBytes, seed0, seed1);
  }

  /** A block that was found in use, and the publication of what is in it. */
  describe(granule: number): string {
    return `granule ${granule}, incarnation ${this.#look.data.words[(granule << 2) + Entry.incarnation]}`;
  }

  /** Of a sound entry. */
  hashOf(granule: number): number {
    return this.#map.hashOf(granule);
  }

  /** Whether two entries that were found sound have the same key. */
  hasSameKey(granule: number, other: number): boolean {
    const { bytes } = this.#look.data;
    const keyBytes = this.#map.keyBytesOf(granule);
    if (keyBytes !== this.#map.keyBytesOf(other)) return false;
    const [start, otherStart] = [this.#map.keyOffsetOf(granule), this.#map.keyOffsetOf(other)];
    // They may have changed since.
    if (keyBytes > MAX_KEY_BYTES || Math.max(start, otherStart) + keyBytes > bytes.length) return false;
    return bytes.compare(bytes, otherStart, otherStart + keyBytes, start, start + keyBytes) === 0;
  }
}
