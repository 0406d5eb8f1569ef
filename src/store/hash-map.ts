/**
 * The striped hash map: buckets of one cache line that hold tagged references to immutable entries, and overflow
 * buckets of the same shape. The stripe's lock guards its buckets against other workers; direct readers take no lock.
 * One store of the bucket word commits a write. Before it, the worker's record names word, old and new value, so that
 * whoever cleans up after a dead thread knows on which side of the commit it died (map-repair.ts).
 * Entries never move between buckets: one pass over the buckets meets each key that stays exactly once.
 */
import {
  BUCKET_ENTRIES,
  BUCKET_WORDS,
  Entry,
  ENTRY_HEADER_WORDS,
  expiryWordsOf,
  type Geometry,
  KEY_BYTES_MASK,
  Stripe,
  WorkerRecord,
  workerBase,
} from '../memory/layout.js';
import { lock, unlock } from '../memory/lock.js';
import { RecordOperation } from '../log/record.js';
import type { SegmentViews } from '../memory/segment.js';
import { load, store } from '../memory/words.js';
import { EntryHeaders } from './entry-headers.js';
import type { LogLane } from './log-lane.js';

export class HashMap extends EntryHeaders {
  readonly #worker: number;
  /** First word of this worker's record. */
  readonly #record: number;
  readonly #firstStripe: number;
  readonly #stripeMask: number;
  readonly #firstBucket: number;
  readonly #bucketMask: number;
  readonly #granuleMask: number;
  /** Of the last find: the bucket word that names the entry (0: not found), the first empty one (0: none), the last bucket. */
  #foundWord = 0;
  #emptyWord = 0;
  #lastBucket = 0;
  readonly #log: LogLane | undefined;

  /** @param log where each change of what a key holds goes as well; undefined: no log is kept, or this is what reads it */
  constructor(data: SegmentViews, geometry: Geometry, worker: number, log?: LogLane) {
    super(data);
    this.#log = log;
    this.#worker = worker;
    this.#record = workerBase(geometry, worker);
    this.#firstStripe = geometry.stripesOffset / 4;
    this.#stripeMask = geometry.stripes - 1;
    this.#firstBucket = geometry.bucketsOffset / 4;
    this.#bucketMask = geometry.buckets - 1;
    this.#granuleMask = 2 ** geometry.granuleBits - 1;
  }

  lock(hash: number): void {
    lock(this.words, this.#stripeBase(hash & this.#stripeMask) + Stripe.lock, this.#worker);
  }

  unlock(hash: number): void {
    unlock(this.words, this.#stripeBase(hash & this.#stripeMask) + Stripe.lock);
  }

  /**
   * find(), for all who ask for keys: one that has expired is missing. put() then takes its place.
   * @returns the entry's granule, 0 when missing
   */
  findLive(hash: number, source: Int32Array, keyWord: number, keyBytes: number): number {
    const granule = this.find(hash, source, keyWord, keyBytes);
    return granule !== 0 && this.isExpired(granule) ? 0 : granule;
  }

  /**
   * Looks a key up, expired or not; its bytes start at word `keyWord` of `source`. Under the stripe's lock.
   * @returns the entry's granule, 0 when missing; put() and remove() act on what was found
   */
  find(hash: number, source: Int32Array, keyWord: number, keyBytes: number): number {
    const { words } = this;
    const tagMask = ~this.#granuleMask;
    this.#emptyWord = 0;
    let bucket = this.#firstBucket + (hash & this.#bucketMask) * BUCKET_WORDS;
    for (;;) {
      for (let at = bucket; at < bucket + BUCKET_ENTRIES; at++) {
        const word = words[at];
        if (word === 0) {
          if (this.#emptyWord === 0) this.#emptyWord = at;
        } else if (((word ^ hash) & tagMask) === 0) {
          const granule = word & this.#granuleMask;
          if (this.#matches(granule, hash, source, keyWord, keyBytes)) {
            this.#foundWord = at;
            return granule;
          }
        }
      }
      const overflow = words[bucket + BUCKET_ENTRIES];
      if (overflow === 0) break;
      bucket = overflow << 2;
    }
    this.#foundWord = 0;
    this.#lastBucket = bucket;
    return 0;
  }

  #matches(granule: number, hash: number, source: Int32Array, keyWord: number, keyBytes: number): boolean {
    const { words } = this;
    const entry = granule << 2;
    if (words[entry + Entry.hash] !== hash) return false;
    const shape = words[entry + Entry.shape];
    if ((shape & KEY_BYTES_MASK) !== keyBytes) return false;
    const first = entry + ENTRY_HEADER_WORDS + expiryWordsOf(shape);
    const whole = keyBytes >> 2;
    for (let i = 0; i < whole; i++) if (words[first + i] !== source[keyWord + i]) return false;
    const tailBits = (keyBytes & 3) * 8;
    if (tailBits === 0) return true;
    return ((words[first + whole] ^ source[keyWord + whole]) & ((1 << tailBits) - 1)) === 0;
  }

  /** The word that find() found, or that put() has written since; 0: the key was not found. */
  get foundWord(): number {
    return this.#foundWord;
  }

  /** Whether put() needs an overflow bucket for a key that find() has just missed. */
  get needsOverflow(): boolean {
    return this.#foundWord === 0 && this.#emptyWord === 0;
  }

  /** Hangs an empty overflow bucket to the end of the chain that find() walked. Under the stripe's lock. */
  linkOverflow(granule: number): void {
    store(this.words, this.#lastBucket + BUCKET_ENTRIES, granule);
    this.#emptyWord = granule << 2;
  }

  /**
   * Publishes a filled entry in place of what find() found or missed. Under the stripe's lock.
   * @param done how much of the request has taken effect then (WorkerRecord)
   * @returns the granule of the entry it replaced, 0: none; retire it
   */
  put(hash: number, granule: number, done = 1): number {
    const stripe = this.#stripeBase(hash & this.#stripeMask);
    const version = this.#nextVersion(hash);
    this.floats[granule * 2 + Entry.version] = version;
    this.#log?.stage(RecordOperation.put, granule);
    // SYNC: from here on the entry is readable; pairs with the first look of a direct read.
    store(this.words, (granule << 2) + Entry.incarnation, incarnationOf(version));
    const at = this.#foundWord !== 0 ? this.#foundWord : this.#emptyWord;
    const old = this.#commit(at, (hash & ~this.#granuleMask) | granule, done, 1, this.#log);
    this.#foundWord = at;
    if (old === 0) this.words[stripe + Stripe.entryCount] = this.words[stripe + Stripe.entryCount] + 1;
    return old;
  }

  /** Takes the entry that find() found out of the map. Under the stripe's lock. @returns its granule; retire it */
  remove(hash: number, done = 1): number {
    return this.#take(this.#foundWord, hash, done, 1, this.#log);
  }

  /** Takes out what the word `at` names: no effect of the request in hand. Under the lock; the log must have room. */
  evict(at: number, hash: number): number {
    return this.#take(at, hash, this.words[this.#record + WorkerRecord.done], 0, this.#log);
  }

  #take(at: number, hash: number, done: number, effects: number, log: LogLane | undefined): number {
    const stripe = this.#stripeBase(hash & this.#stripeMask);
    const granule = this.words[at] & this.#granuleMask;
    log?.stage(RecordOperation.remove, granule);
    const old = this.#commit(at, 0, done, effects, log);
    this.words[stripe + Stripe.entryCount] = this.words[stripe + Stripe.entryCount] - 1;
    return old;
  }

  /**
   * Takes an entry with the tag of `hash` that has expired out of the map. Under the stripe's lock. No effect of the
   * request in hand, if there is one. @returns its granule, 0: there is none; retire it
   */
  removeExpired(hash: number): number {
    const { words } = this;
    const tagMask = ~this.#granuleMask;
    let first = this.#firstBucket + (hash & this.#bucketMask) * BUCKET_WORDS;
    for (;;) {
      for (let at = first; at < first + BUCKET_ENTRIES; at++) {
        const word = words[at];
        if (word === 0 || ((word ^ hash) & tagMask) !== 0 || !this.isExpired(word & this.#granuleMask)) continue;
        // That it has expired its record says itself: another is for clocks that are set back, if there is room.
        const log = this.#log?.hasRoomFor(word & this.#granuleMask) === true ? this.#log : undefined;
        return this.#take(at, hash, words[this.#record + WorkerRecord.done], 0, log);
      }
      const overflow = words[first + BUCKET_ENTRIES];
      if (overflow === 0) return 0;
      first = overflow << 2;
    }
  }

  /** Publishes a copy of the entry that findEntry() found, with the same version. Under the stripe's lock. */
  move(hash: number, from: number, to: number): void {
    this.floats[to * 2 + Entry.version] = this.versionOf(from);
    // A number of its own for the new place, or a reader could mistake a second move back for no move.
    const incarnation = incarnationOf(this.#nextVersion(hash));
    store(this.words, (to << 2) + Entry.incarnation, incarnation);
    this.#commit(this.#foundWord, (hash & ~this.#granuleMask) | to, this.words[this.#record + WorkerRecord.done], 0);
  }

  /** The next version of the stripe will be above this one. */
  raiseVersion(hash: number, version: number): void {
    const stripe = hash & this.#stripeMask;
    const at = this.#stripeBase(stripe) / 2 + Stripe.version;
    const stripes = this.#stripeMask + 1;
    const raised = Math.floor(version / stripes) * stripes + stripe;
    if (raised > this.floats[at]) this.floats[at] = raised;
  }

  /** Rises within a stripe, and differs from those of all other stripes: entries of one take the place of another's. */
  #nextVersion(hash: number): number {
    const stripe = hash & this.#stripeMask;
    const at = this.#stripeBase(stripe) / 2 + Stripe.version;
    const version = (this.floats[at] || stripe) + this.#stripeMask + 1;
    this.floats[at] = version;
    return version;
  }

  /** Replaces a bucket word, with the intent on record. @param log where its record is staged. @returns the granule that it named, now unreadable */
  #commit(at: number, next: number, done: number, effects: number, log?: LogLane): number {
    const { words } = this;
    const record = this.#record;
    const old = words[at];
    const nextEffects = words[record + WorkerRecord.effects] + effects;
    words[record + WorkerRecord.oldWord] = old;
    words[record + WorkerRecord.newWord] = next;
    words[record + WorkerRecord.nextDone] = done;
    words[record + WorkerRecord.nextEffects] = nextEffects;
    words[record + WorkerRecord.logged] = log === undefined ? 0 : 1;
    store(words, record + WorkerRecord.bucketWord, at);
    // SYNC: the commit; pairs with the bucket check of a direct read.
    store(words, at, next);
    log?.publish();
    const granule = old & this.#granuleMask;
    // The new block belongs to the map now, the old one is ours to free: one word says both.
    store(words, record + WorkerRecord.pendingBlock, granule);
    words[record + WorkerRecord.done] = done;
    words[record + WorkerRecord.effects] = nextEffects;
    store(words, record + WorkerRecord.bucketWord, 0);
    if (granule !== 0) store(words, (granule << 2) + Entry.incarnation, 1);
    return granule;
  }

  /**
   * Finds the bucket word that names `granule`. Under the lock of `hash`, which was read from a header that may be in
   * the middle of being filled: only a published one is sure to stay as it is. @returns whether it is published
   */
  findEntry(hash: number, granule: number): boolean {
    const entry = granule << 2;
    const shape = this.words[entry + Entry.shape];
    const key = entry + ENTRY_HEADER_WORDS + expiryWordsOf(shape);
    return this.find(hash, this.words, key, shape & KEY_BYTES_MASK) === granule;
  }

  /** Runs `visit` over the entries of one bucket and its overflow. Under the lock of `bucket`'s stripe. */
  visitBucket(bucket: number, visit: (granule: number, at: number) => void): void {
    let first = this.#firstBucket + bucket * BUCKET_WORDS;
    for (;;) {
      for (let at = first; at < first + BUCKET_ENTRIES; at++) {
        const word = this.words[at];
        if (word !== 0) visit(word & this.#granuleMask, at);
      }
      const overflow = this.words[first + BUCKET_ENTRIES];
      if (overflow === 0) return;
      first = overflow << 2;
    }
  }

  /** Takes one entry out of a bucket. Under the stripe's lock. @returns its granule, 0: the bucket is empty */
  popFrom(bucket: number, done: number): number {
    let first = this.#firstBucket + bucket * BUCKET_WORDS;
    for (;;) {
      for (let at = first; at < first + BUCKET_ENTRIES; at++) {
        if (this.words[at] === 0) continue;
        this.#foundWord = at;
        return this.remove(bucket, done);
      }
      const overflow = this.words[first + BUCKET_ENTRIES];
      if (overflow === 0) return 0;
      first = overflow << 2;
    }
  }

  /** Entries in all stripes; exact while nobody writes. */
  size(): number {
    let size = 0;
    for (let stripe = 0; stripe <= this.#stripeMask; stripe++) {
      size += load(this.words, this.#stripeBase(stripe) + Stripe.entryCount);
    }
    return size;
  }

  #stripeBase(stripe: number): number {
    return this.#firstStripe + stripe * (Stripe.sizeBytes / 4);
  }
}

/** Even, and different for all versions that are less than 2^31 apart. */
const incarnationOf = (version: number): number => (version * 2) | 0;
