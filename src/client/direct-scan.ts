/**
 * Walks over the store in the read-only mapping, without the server. Each bucket is read word by word: an entry stays at
 * its word for as long as its key is there, so a key that is there throughout is met exactly once. What a word names
 * counts only if it was still published after it was read (store/reader.ts); else it is read again.
 */
import { BUCKET_ENTRIES } from '../memory/layout.js';
import { Found, MAX_CHAIN, type Reader } from '../store/reader.js';

/** One page ends with the first bucket beyond any of these: well under a millisecond of work. */
const PAGE_BUCKETS = 2048;
const PAGE_ENTRIES = 512;
const PAGE_BYTES = 128 * 1024;
/** Looks at one word that is being written again and again. */
const MAX_TRIES = 64;

export interface DirectPage<T> {
  readonly keys: Buffer[];
  /** What was made of each key's value. */
  readonly values: T[];
  /** The bucket to go on with; END: there is none. */
  cursor: number;
}

export const END = -1;

export class DirectScan<T> {
  readonly #reader: Reader;
  readonly #prefix: Buffer;
  readonly #make: (reader: Reader) => T;
  /** Of the keys of a page. */
  #hashes: number[] = [];
  #page: DirectPage<T> = { keys: [], values: [], cursor: 0 };
  #entries = 0;
  #bytes = 0;

  /** @param make makes something of the value that the reader has found; may see torn bytes, and throw then */
  constructor(reader: Reader, prefix: Buffer, make: (reader: Reader) => T) {
    this.#reader = reader;
    this.#prefix = prefix;
    this.#make = make;
  }

  /** Reads some buckets from `cursor` on. @returns a page that ends where it began if that bucket does not hold still */
  read(cursor: number): DirectPage<T> {
    const end = Math.min(this.#reader.bucketCount, cursor + PAGE_BUCKETS);
    this.#page = { keys: [], values: [], cursor };
    this.#hashes = [];
    this.#entries = 0;
    this.#bytes = 0;
    while (this.#page.cursor < end && this.#entries < PAGE_ENTRIES && this.#bytes < PAGE_BYTES) {
      const known = this.#page.keys.length;
      if (!this.#readBucket(this.#page.cursor, known)) {
        this.#page.keys.length = known;
        this.#page.values.length = known;
        return this.#page;
      }
      this.#page.cursor++;
    }
    if (this.#page.cursor >= this.#reader.bucketCount) this.#page.cursor = END;
    return this.#page;
  }

  /** @param known keys of the page from earlier buckets. @returns false: it changes too fast */
  #readBucket(index: number, known: number): boolean {
    const reader = this.#reader;
    let bucket = reader.bucketAt(index);
    for (let hops = 0; hops < MAX_CHAIN; hops++) {
      const end = bucket + BUCKET_ENTRIES;
      for (let at = reader.nextUsed(bucket, end); at < end; at = reader.nextUsed(at + 1, end)) {
        if (!this.#readWord(at, known)) return false;
      }
      bucket = reader.overflowOf(bucket);
      if (bucket === 0) return true;
    }
    return false;
  }

  #readWord(at: number, known: number): boolean {
    const reader = this.#reader;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const found = reader.look(at);
      if (found === Found.missing) return true;
      if (found === Found.found && this.#take(known)) return true;
    }
    return false;
  }

  /** Takes the entry that the reader looks at into the page, if it is wanted. @returns whether it held still */
  #take(known: number): boolean {
    const reader = this.#reader;
    const { bytes, keyStart, keyBytes, hash, start, end } = reader;
    const prefixEnd = keyStart + this.#prefix.length;
    const isWanted =
      !reader.isExpired &&
      keyBytes >= this.#prefix.length &&
      bytes.compare(this.#prefix, 0, this.#prefix.length, keyStart, prefixEnd) === 0;
    if (!isWanted) {
      this.#entries++;
      return reader.isStillThere();
    }
    const key = Buffer.from(bytes.subarray(keyStart, keyStart + keyBytes));
    let value: T;
    try {
      value = this.#make(reader);
    } catch (error) {
      // Torn bytes fail to decode as well: only a whole value's failure is one.
      if (reader.isStillThere()) throw error;
      return false;
    }
    if (!reader.isStillThere()) return false;
    this.#entries++;
    if (this.#isKnown(known, key, hash)) return true;
    this.#page.keys.push(key);
    this.#page.values.push(value);
    this.#hashes[this.#page.keys.length - 1] = hash;
    this.#bytes += keyBytes + end - start;
    return true;
  }

  /** A key that went and came back to another word of its bucket is met twice. */
  #isKnown(known: number, key: Buffer, hash: number): boolean {
    for (let i = known; i < this.#page.keys.length; i++) {
      if (this.#hashes[i] === hash && this.#page.keys[i].equals(key)) return true;
    }
    return false;
  }
}
