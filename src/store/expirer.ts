/**
 * Takes back the memory of what has expired, a few entries at a time, in the order in which they expire. One per worker
 * thread: what a thread has written with an expiry is in its wheel. An item of the wheel only says where to look: under
 * the stripe's lock, what has expired there is removed like any other entry, so nothing depends on items being right.
 * Those of entries that were replaced since are dropped when they come due, or earlier when there are many.
 * Death: the wheel dies with its thread; the next thread walks over the store once, some buckets at a time.
 */
import { hostMs } from '../memory/clock.js';
import { type Geometry, WorkerRecord, workerBase } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import type { HashMap } from './hash-map.js';
import type { Heap } from './heap.js';
import { MAX_TICK, TimingWheel } from './timing-wheel.js';

/** Memory comes back so much later than a key expires, at most, while there is time for it. */
const TICK_MS = 128;
/** Steps for each removal that is allowed: what they cost, in some tens of nanoseconds. */
const REMOVAL_STEPS = 16;
const WALK_STEPS = 16;
const SIFT_STEPS = 4;
/** Items beyond twice those that were still good, or that there can be, before they are looked through. */
const SPARE_ITEMS = 131_072;
/** Additions between two looks at that. */
const LOOK_ITEMS = 4096;
/** Removals before it is looked whether enough is free now. */
const RECLAIM = 64;
/** Rounds of that length for one request, however little they find: of a walk, so many times 64 buckets. */
const RECLAIM_ROUNDS = 1024;

/** The buckets to be walked over: from `from` up to `to`. */
export interface BucketRange {
  readonly from: number;
  readonly to: number;
}

const tickOf = (expiresAt: number): number => Math.min(MAX_TICK, Math.ceil(expiresAt / TICK_MS));
const presentTick = (): number => Math.min(MAX_TICK, Math.floor(hostMs() / TICK_MS));

export class Expirer {
  readonly #map: HashMap;
  readonly #heap: Heap;
  readonly #floats: Float64Array;
  readonly #counter: number;
  readonly #workers: number;
  readonly #wheel = new TimingWheel(presentTick());
  readonly #bucketCount: number;
  #walkAt = 0;
  #walkEnd = 0;
  #additions = 0;
  /** Bytes freed since the last reclaim() began. */
  #freed = 0;
  /** Items that the last sift has left. */
  #goodItems = 0;

  constructor(data: SegmentViews, geometry: Geometry, worker: number, map: HashMap, heap: Heap) {
    this.#map = map;
    this.#heap = heap;
    this.#floats = data.floats;
    this.#counter = workerBase(geometry, worker) / 2 + WorkerRecord.expired;
    this.#workers = geometry.workers;
    this.#bucketCount = geometry.buckets;
  }

  /** Has to be told of every entry with an expiry that is published. `replaced`: when what it replaces expires, 0: never. */
  add(hash: number, expiresAt: number, replaced: number): void {
    const tick = tickOf(expiresAt);
    // There is an item for that already: a key that is set over and over has one per tick.
    if (replaced !== 0 && tickOf(replaced) === tick) return;
    this.#wheel.add(hash, tick);
    if (++this.#additions % LOOK_ITEMS === 0) this.#considerSift();
  }

  /** Entries of these buckets are there already, and nobody has been told of them. */
  walk({ from, to }: BucketRange): void {
    this.#walkAt = from;
    this.#walkEnd = Math.min(to, this.#bucketCount);
  }

  /** Whether nothing is going to expire, as far as is known. */
  get isIdle(): boolean {
    return this.#wheel.size === 0 && this.#walkAt >= this.#walkEnd;
  }

  /**
   * Removes up to `removals` expired entries, or does other work of that length. With no lock held, no block pending.
   * @returns whether there is more to do now
   */
  work(removals: number): boolean {
    if (this.isIdle) return false;
    this.#wheel.advance(presentTick());
    for (let steps = removals * REMOVAL_STEPS; steps > 0;) {
      const taken = this.#step();
      if (taken === 0) return false;
      steps -= taken;
    }
    return true;
  }

  /** Makes room of about so many bytes, if that much has expired and is found in time. @returns bytes freed */
  reclaim(bytes: number): number {
    this.#freed = 0;
    for (let round = 0; round < RECLAIM_ROUNDS && this.#freed < bytes; round++) if (!this.work(RECLAIM)) break;
    return this.#freed;
  }

  /** Milliseconds until there is something to do; Infinity: nothing is known. */
  msUntilDue(): number {
    const tick = this.#wheel.nextTick();
    return tick === Infinity ? Infinity : Math.max(0, tick * TICK_MS - hostMs());
  }

  /** @returns what it cost, 0: there is nothing to do now */
  #step(): number {
    const wheel = this.#wheel;
    if (wheel.takeDue()) {
      this.#expire(wheel.hash);
      return REMOVAL_STEPS;
    }
    if (wheel.settleOne()) return 1;
    if (this.#walkAt < this.#walkEnd) {
      this.#walkBucket(this.#walkAt++);
      return WALK_STEPS;
    }
    if (!wheel.isSifting) return 0;
    if (!wheel.takeSifted()) this.#goodItems = wheel.size;
    else if (this.#isGood(wheel.hash, wheel.tick)) wheel.add(wheel.hash, wheel.tick);
    return SIFT_STEPS;
  }

  #expire(hash: number): void {
    for (;;) {
      this.#map.lock(hash);
      let granule = 0;
      try {
        granule = this.#map.removeExpired(hash);
      } finally {
        this.#map.unlock(hash);
      }
      if (granule === 0) return;
      this.#freed += this.#heap.capacityOf(granule);
      this.#heap.free(granule);
      this.#floats[this.#counter]++;
    }
  }

  #walkBucket(bucket: number): void {
    const map = this.#map;
    map.lock(bucket);
    try {
      map.visitBucket(bucket, (granule) => {
        const expiresAt = map.expiresAtOf(granule);
        if (expiresAt !== 0) this.#wheel.add(map.hashOf(granule), tickOf(expiresAt));
      });
    } finally {
      map.unlock(bucket);
    }
  }

  #considerSift(): void {
    const share = this.#map.size() / this.#workers;
    if (this.#wheel.isSifting || this.#wheel.size < 2 * Math.max(this.#goodItems, share) + SPARE_ITEMS) return;
    this.#wheel.beginSift();
  }

  /** Whether an entry may be there that an item is for. */
  #isGood(hash: number, tick: number): boolean {
    const map = this.#map;
    let isGood = false;
    map.lock(hash);
    try {
      map.visitBucket(hash & (this.#bucketCount - 1), (granule) => {
        isGood ||= map.hashOf(granule) === hash && tickOf(map.expiresAtOf(granule)) === tick;
      });
    } finally {
      map.unlock(hash);
    }
    return isGood;
  }

  /** How many places it is going to look at. */
  get items(): number {
    return this.#wheel.size;
  }
}
