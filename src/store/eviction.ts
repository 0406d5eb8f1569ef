/**
 * Which entries go when memory is short: S3-FIFO (Yang et al., "FIFO Queues are All You Need for Cache Eviction",
 * SOSP 2023), with the main queue in the order of the buckets instead of the order of time, so that it needs no memory
 * (docs/adr/0016). A newcomer stays for as long as a tenth of all entries are younger, in a ring; if it was used by then
 * it stays on, else it goes and is remembered by its fingerprint; who comes again while remembered is no newcomer. The
 * others go by a hand that walks the buckets: it takes one use from each entry and evicts those that have none left. In its
 * first round all are newcomers to it: the ring has no room for what a store holds when memory is short first.
 * What an eviction changes, it changes by the map's own commit, one stripe's lock at a time; all else is hints.
 */
import { type Geometry, WorkerRecord, workerBase } from '../memory/layout.js';
import type { UseMarks } from '../memory/use-marks.js';
import { load } from '../memory/words.js';
import type { EvictionState } from './eviction-state.js';
import type { Store } from './store.js';

/** A newcomer is marked once so that the hand passes it by. */
const NEW_USES = 1;
const NEWCOMER_SHARE = 0.1;
/** With small entries the ring has no room for that many: so much of it is used. */
const RING_SHARE = 3 / 4;
/** Of so many steps one is for the first round of the hand: what came before memory was short has no place in the ring. */
const SWEEP_EVERY = 4;
/** Newcomers looked at in one step. */
const POPS = 64;
/** Evictions after which the entries are counted again. */
const RECOUNT = 256;
/** Steps in a row without a victim after which the hand takes the least used entry of its bucket. */
const MAX_FRUITLESS = 1024;
/** Keys that a listener is told at once, and how many may be on their way to it. */
const BATCH_KEYS = 64;
const MAX_UNHEARD = 8192;

export interface EvictionParts {
  readonly state: EvictionState;
  readonly marks: UseMarks;
  /** Passes on the keys that were evicted while anybody listens, and how many more there were. */
  readonly tell: (keys: Buffer[], dropped: number) => void;
}

export class Eviction {
  readonly #store: Store;
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #record: number;
  readonly #state: EvictionState;
  readonly #marks: UseMarks;
  readonly #tell: EvictionParts['tell'];
  readonly #buckets: number;
  readonly #granuleMask: number;
  /** Entry words that the hand found unused, and what they named. */
  readonly #victims: number[] = [];
  #steps = 0;
  /** Whether the hand is at a bucket of its first round. */
  #isSweep = false;
  #newcomerLimit = 0;
  #sinceCount = RECOUNT;
  #fruitless = 0;
  #leastUses = 0;
  #keys: Buffer[] = [];
  #dropped = 0;
  /** Whether the log takes nothing: then nothing is evicted, as it would be back after a restart. */
  #isBlocked = false;

  constructor(store: Store, geometry: Geometry, worker: number, { state, marks, tell }: EvictionParts) {
    this.#store = store;
    this.#words = store.data.words;
    this.#floats = store.data.floats;
    this.#record = workerBase(geometry, worker);
    this.#state = state;
    this.#marks = marks;
    this.#tell = tell;
    this.#buckets = geometry.buckets;
    this.#granuleMask = 2 ** geometry.granuleBits - 1;
  }

  /** The entry that the word `at` names was read. */
  used(at: number): void {
    this.#marks.mark(at);
  }

  /** The word `at` names another entry than before, of the same key or else of a new one. Under the stripe's lock. */
  wrote(at: number, hash: number, wasThere: boolean): void {
    if (wasThere) return this.#marks.mark(at);
    if (this.#state.forget(hash)) return this.#marks.set(at, 0);
    this.#marks.set(at, NEW_USES);
    this.#state.push(at, hash);
  }

  /** Steps in a row without a victim after which there is nothing to be had. */
  get patience(): number {
    if (this.#isBlocked) return 0;
    return this.#buckets + 2 * MAX_FRUITLESS;
  }

  /** Begins to make room for one request. */
  begin(): void {
    this.#fruitless = 0;
    this.#isBlocked = false;
    this.report(false);
    // What has expired goes first.
    this.#store.expirer?.work(POPS);
    if (this.#sinceCount < RECOUNT) return;
    this.#sinceCount = 0;
    const entries = this.#store.size();
    this.#newcomerLimit = Math.max(1, Math.floor(Math.min(entries * NEWCOMER_SHARE, this.#buckets * RING_SHARE)));
  }

  /** Evicts a newcomer, or what is unused in the next bucket. With no lock held, no block pending. @returns bytes freed */
  step(): number {
    const state = this.#state;
    this.#isBlocked = this.#store.log?.admitRemoval() === false;
    if (this.#isBlocked) return 0;
    this.#isSweep = ++this.#steps % SWEEP_EVERY === 0 && state.takeSweep();
    let bytes = this.#isSweep ? 0 : this.#evictNewcomer();
    if (bytes === 0) {
      this.#isSweep ||= state.takeSweep();
      bytes = this.#evictInBucket(state.nextBucket());
    }
    this.#fruitless = bytes === 0 ? this.#fruitless + 1 : 0;
    return bytes;
  }

  #evictNewcomer(): number {
    const state = this.#state;
    for (let pops = 0; pops < POPS && state.newcomers >= this.#newcomerLimit && state.pop(); pops++) {
      const { at, hash } = state;
      const word = load(this.#words, at);
      if (!this.#isNamed(word, hash)) continue;
      if (this.#marks.usesOf(at) > NEW_USES && !this.#store.map.isExpired(word & this.#granuleMask)) {
        this.#marks.set(at, 0);
        continue;
      }
      const bytes = this.#evict(at, word, hash, true);
      if (bytes > 0) return bytes;
    }
    return 0;
  }

  /** Whether a word of the map names an entry of that hash. What it says may be over at once. */
  #isNamed(word: number, hash: number): boolean {
    return word !== 0 && this.#store.map.hashOf(word & this.#granuleMask) === hash;
  }

  #evictInBucket(bucket: number): number {
    const victims = this.#victims;
    const { map } = this.#store;
    victims.length = 0;
    this.#leastUses = this.#fruitless < MAX_FRUITLESS ? 0 : Number.POSITIVE_INFINITY;
    map.lock(bucket);
    try {
      map.visitBucket(bucket, this.#look);
    } finally {
      map.unlock(bucket);
    }
    let bytes = 0;
    for (let index = 0; index < victims.length; index += 2) {
      const word = victims[index + 1];
      bytes += this.#evict(victims[index], word, map.hashOf(word & this.#granuleMask), this.#isSweep);
    }
    return bytes;
  }

  /** Takes one use from an entry; one that has none left becomes a victim. Without victims for long, the least used. */
  readonly #look = (_granule: number, at: number): void => {
    const uses = this.#marks.usesOf(at);
    if (this.#isSweep) {
      if (uses === NEW_USES) this.#victims.push(at, this.#words[at]);
      else if (uses > NEW_USES) this.#marks.set(at, 0);
      return;
    }
    if (uses === 0 || uses < this.#leastUses) {
      if (this.#leastUses > 0) this.#victims.length = 0;
      this.#leastUses = uses;
      this.#victims.push(at, this.#words[at]);
    }
    if (uses > 0) this.#marks.set(at, uses - 1);
  };

  /**
   * Evicts the entry of that hash if the word `at` still says `word`. @returns bytes freed, 0: it says something else
   * by now, or the hash was read when it did
   */
  #evict(at: number, word: number, hash: number, isRemembered: boolean): number {
    const { map } = this.#store;
    let granule = 0;
    let bytes = 0;
    map.lock(hash);
    try {
      granule = word & this.#granuleMask;
      // Found by its key: the hash may be that of what the block held for a moment, and the lock that of another stripe.
      if (this.#words[at] !== word || !map.findEntry(hash, granule) || map.foundWord !== at) return 0;
      if (this.#store.log?.hasRoomFor(granule) === false) return 0;
      bytes = this.#store.bytesOf(granule);
      if (isRemembered) this.#state.remember(hash);
      this.takeOut(at, hash, granule);
    } finally {
      map.unlock(hash);
    }
    this.#store.retire(granule);
    return bytes;
  }

  /** Takes an entry out of the map; free() it. Under the stripe's lock. */
  takeOut(at: number, hash: number, granule: number): void {
    if (this.#state.isHeard) this.#note(granule);
    const bytes = this.#store.bytesOf(granule);
    this.#store.map.evict(at, hash);
    this.#floats[this.#record / 2 + WorkerRecord.evicted]++;
    this.#floats[this.#record / 2 + WorkerRecord.evictedBytes] += bytes;
    this.#sinceCount++;
  }

  #note(granule: number): void {
    if (this.#state.unheard + this.#keys.length >= MAX_UNHEARD) {
      this.#dropped++;
      return;
    }
    const { map, data } = this.#store;
    const start = map.keyOffsetOf(granule);
    this.#keys.push(Buffer.from(data.bytes.subarray(start, start + map.keyBytesOf(granule))));
  }

  /** Passes on what was noted, when that is enough or `isAll`. With no lock held. */
  report(isAll: boolean): void {
    if (this.#keys.length < (isAll ? 1 : BATCH_KEYS) && !(isAll && this.#dropped > 0)) return;
    const keys = this.#keys;
    const dropped = this.#dropped;
    this.#keys = [];
    this.#dropped = 0;
    this.#state.addUnheard(keys.length);
    this.#tell(keys, dropped);
  }
}
