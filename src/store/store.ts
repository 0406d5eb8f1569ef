/**
 * The store as operations see it: entries in the heap, found through the hash map. One instance per worker thread, all
 * over the same data segment. Blocks are allocated and filled before the stripe's lock is taken and retired after it
 * is released, so a lock is held for one lookup and one commit (and for the copy of a value that is read).
 */
import { Status } from '../errors.js';
import { recordBytes } from '../log/record.js';
import { copyBytes } from '../memory/copy.js';
import { BUCKET_BYTES, type Geometry, MAX_KEY_BYTES, UNIT_BYTES, WorkerRecord, workerBase } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { entryBytes } from './entry-headers.js';
import { EntryMover } from './entry-mover.js';
import { Eviction, type EvictionParts } from './eviction.js';
import { type BucketRange, Expirer } from './expirer.js';
import { flushStore } from './flush.js';
import { Heap } from './heap.js';
import type { HeapUsage } from './heap-usage.js';
import { HashMap } from './hash-map.js';
import type { PinnedBlocks } from './limbo.js';
import type { LogLane } from './log-lane.js';

/**
 * Of what has expired, so much is removed before it is tried again to allocate, besides what was asked for; twice as much
 * each time, because what is gained may lie scattered.
 */
const RECLAIM_BYTES = 65_536;
/** All of it for one request: so many times what was asked for, and a share of the heap. */
const RECLAIM_TIMES = 4;
const RECLAIM_SHARE = 1 / 64;

export interface StoreParts {
  readonly log?: LogLane | undefined;
  readonly eviction?: EvictionParts | undefined;
}

export class Store {
  readonly map: HashMap;
  readonly heap: Heap;
  /** Takes back what has expired; undefined: others do, this instance writes nothing. */
  expirer: Expirer | undefined;
  readonly #data: SegmentViews;
  readonly #geometry: Geometry;
  readonly #worker: number;
  readonly #record: number;
  readonly #eviction: Eviction | undefined;
  readonly log: LogLane | undefined;

  /**
   * @param pins what clients keep in place (memory/pins.ts)
   * @param parts.log the worker's, where what changes goes as well; undefined: no log is kept
   * @param parts.eviction undefined: nothing is evicted
   */
  constructor(data: SegmentViews, geometry: Geometry, worker: number, pins: PinnedBlocks, parts: StoreParts = {}) {
    const { log, eviction } = parts;
    this.log = log;
    this.#data = data;
    this.#geometry = geometry;
    this.#worker = worker;
    this.#record = workerBase(geometry, worker);
    this.map = new HashMap(data, geometry, worker, log);
    this.#eviction = eviction && new Eviction(this, geometry, worker, eviction);
    this.heap = new Heap(data, geometry, worker, new EntryMover(this, this.#eviction), pins, this.#eviction);
  }

  /** From now on what expires is removed in time. @param unknown buckets that may have such entries already */
  startExpiry(unknown: BucketRange): Expirer {
    this.expirer = new Expirer(this.#data, this.#geometry, this.#worker, this.map, this.heap);
    this.expirer.walk(unknown);
    return this.expirer;
  }

  /** Makes an empty store of a zeroed data segment. */
  static format(data: SegmentViews, geometry: Geometry): void {
    Heap.format(data, geometry);
  }

  /**
   * Allocates and fills an entry from bytes in another segment. With no lock held.
   * @param expiresAt when it expires (hostMs()), 0: never; any other number makes room for map.inheritExpiry()
   * @returns its granule, to be published or discarded; 0 when the heap is full
   */
  prepare(
    hash: number,
    key: SegmentViews,
    keyOffset: number,
    keyBytes: number,
    value: SegmentViews,
    valueOffset: number,
    valueBytes: number,
    codec: number,
    expiresAt = 0,
  ): number {
    if (!this.#ensureSpareBucket()) return 0;
    const granule = this.allocate(entryBytes(keyBytes, valueBytes, expiresAt !== 0));
    if (granule === 0) return 0;
    this.map.writeHeader(granule, hash, keyBytes, valueBytes, codec, expiresAt);
    copyBytes(key, keyOffset, this.#data, this.map.keyOffsetOf(granule), keyBytes);
    copyBytes(value, valueOffset, this.#data, this.map.valueOffsetOf(granule), valueBytes, this.log !== undefined);
    return granule;
  }

  /** A block of at least `bytes`, if need be in place of what has expired. With no lock held. @returns 0: the heap is full */
  allocate(bytes: number): number {
    return this.heap.allocate(bytes) || this.#allocateReclaiming(bytes);
  }

  /** @param bytes 0: an overflow bucket */
  #allocateReclaiming(bytes: number): number {
    const { expirer, heap } = this;
    if (expirer === undefined) return 0;
    let wanted = bytes + RECLAIM_BYTES;
    let left = RECLAIM_TIMES * wanted + this.#geometry.heapUnits * UNIT_BYTES * RECLAIM_SHARE;
    while (left > 0) {
      const freed = expirer.reclaim(Math.min(wanted, left));
      if (freed === 0) return 0;
      const granule = bytes === 0 ? heap.allocateBucket() : heap.allocate(bytes);
      if (granule !== 0) return granule;
      left -= freed;
      wanted *= 2;
    }
    return 0;
  }

  /** Bytes that a copy of the entry needs that expires, or not. Under the lock. */
  bytesOfCopy(granule: number, expires: boolean): number {
    return entryBytes(this.map.keyBytesOf(granule), this.map.valueBytesOf(granule), expires);
  }

  /**
   * Fills a block with a copy of an entry that expires at another moment (hostMs()), 0: never. Under the lock.
   * @returns false: the block is too small
   */
  copyEntry(from: number, to: number, expiresAt: number): boolean {
    const { map } = this;
    if (this.bytesOfCopy(from, expiresAt !== 0) > this.heap.capacityOf(to)) return false;
    const keyBytes = map.keyBytesOf(from);
    map.writeHeader(to, map.hashOf(from), keyBytes, map.valueBytesOf(from), map.codecOf(from), expiresAt);
    this.copyKey(from, this.#data, map.keyOffsetOf(to));
    this.copyValue(from, this.#data, map.valueOffsetOf(to));
    return true;
  }

  /** Gives a prepared entry back that was not published. */
  discard(granule: number): void {
    this.heap.free(granule);
  }

  lock(hash: number): void {
    this.map.lock(hash);
  }

  unlock(hash: number): void {
    this.map.unlock(hash);
  }

  /**
   * Makes sure that one change can be logged, before any lock is taken: an entry with that many bytes of value, or none.
   * @returns Status.ok; notDurable: the log cannot be written; busy: it is behind, and nothing of the request is done
   */
  admit(valueBytes: number): Status {
    if (this.log === undefined) return Status.ok;
    return this.log.admit(recordBytes(MAX_KEY_BYTES, valueBytes), this.done === 0);
  }

  /** What offsets of keys and values are in. */
  get data(): SegmentViews {
    return this.#data;
  }

  /**
   * The entry under the key of a prepared one, 0 when missing; put() acts on it. Under the lock. By the copy of the key:
   * the request may say something else by now, and one key would be stored twice.
   */
  findSameKey(hash: number, prepared: number): number {
    const keyWord = this.map.keyOffsetOf(prepared) / 4;
    return this.map.findLive(hash, this.#data.words, keyWord, this.map.keyBytesOf(prepared));
  }

  /** @returns the entry's granule, 0 when missing. Under the lock. */
  find(hash: number, key: SegmentViews, keyOffset: number, keyBytes: number): number {
    return this.map.findLive(hash, key.words, keyOffset / 4, keyBytes);
  }

  /**
   * How much of the request in hand has taken effect already, under a server that died in the middle of it: items of a
   * batch, 1 + buckets of a flush. That is not done again.
   */
  get done(): number {
    return this.#data.words[this.#record + WorkerRecord.done];
  }

  /** How many entries it has put or removed. */
  get effects(): number {
    return this.#data.words[this.#record + WorkerRecord.effects];
  }

  /**
   * Publishes a prepared entry where find() pointed. Under the lock.
   * @param done how much of the request has taken effect with it
   * @returns the replaced entry: retire() it, unlocked
   */
  put(hash: number, granule: number, done = 1): number {
    if (this.map.needsOverflow) {
      this.map.linkOverflow(this.#data.words[this.#record + WorkerRecord.spareBucket]);
      this.#data.words[this.#record + WorkerRecord.spareBucket] = 0;
    }
    const wasThere = this.map.foundWord !== 0;
    const old = this.map.put(hash, granule, done);
    this.#eviction?.wrote(this.map.foundWord, hash, wasThere);
    const expiresAt = this.map.expiresAtOf(granule);
    if (expiresAt !== 0) this.expirer?.add(hash, expiresAt, old === 0 ? 0 : this.map.expiresAtOf(old));
    return old;
  }

  /** Says that the entry that find() found was read. */
  use(): void {
    this.#eviction?.used(this.map.foundWord);
  }

  /** Takes out what find() found. Under the lock. @returns the entry: retire() it, unlocked */
  remove(hash: number, done = 1): number {
    return this.map.remove(hash, done);
  }

  /** An operation has failed half way: frees the block that it was about to publish, or has replaced. With no lock held. */
  abandon(): void {
    this.retire(this.#data.words[this.#record + WorkerRecord.pendingBlock]);
  }

  /** Frees an entry that is no longer in the map, or 0. */
  retire(granule: number): void {
    if (granule !== 0) this.heap.free(granule);
  }

  /** retire() for an entry that another one took the place of: its memory serves the next. */
  recycle(granule: number): void {
    if (granule !== 0) this.heap.recycle(granule);
  }

  /** The worker has nothing to do: holds nothing back. */
  rest(): void {
    this.heap.releaseKept();
    this.#eviction?.report(true);
  }

  copyValue(granule: number, target: SegmentViews, targetOffset: number): void {
    copyBytes(this.#data, this.map.valueOffsetOf(granule), target, targetOffset, this.map.valueBytesOf(granule));
  }

  copyKey(granule: number, target: SegmentViews, targetOffset: number): void {
    copyBytes(this.#data, this.map.keyOffsetOf(granule), target, targetOffset, this.map.keyBytesOf(granule));
  }

  /** Whether the key starts with these bytes. Under the lock. */
  keyStartsWith(granule: number, prefix: Buffer, prefixOffset: number, prefixBytes: number): boolean {
    const start = this.map.keyOffsetOf(granule);
    for (let i = 0; i < prefixBytes; i++) if (this.#data.bytes[start + i] !== prefix[prefixOffset + i]) return false;
    return true;
  }

  /** Bytes of the value, in place: valid while the stripe's lock is held. */
  valueView(granule: number): Buffer {
    const start = this.map.valueOffsetOf(granule);
    return this.#data.bytes.subarray(start, start + this.map.valueBytesOf(granule));
  }

  size(): number {
    return this.map.size();
  }

  get bucketCount(): number {
    return this.#geometry.buckets;
  }

  usage(): HeapUsage {
    return this.heap.usage();
  }

  /** Removes every entry (flush.ts). @returns Status.ok, or why it stopped */
  flush(): Status {
    return flushStore(this);
  }

  /** Bytes of the block that the entry needs. */
  bytesOf(granule: number): number {
    return this.map.bytesOf(granule);
  }

  /** An overflow bucket in reserve, because none can be allocated with compaction under a lock. */
  #ensureSpareBucket(): boolean {
    const at = this.#record + WorkerRecord.spareBucket;
    if (this.#data.words[at] !== 0) return true;
    const granule = this.heap.allocateBucket() || this.#allocateReclaiming(0);
    if (granule === 0) return false;
    const first = granule << 2;
    this.#data.words.fill(0, first, first + BUCKET_BYTES / 4);
    this.#data.words[at] = granule;
    return true;
  }
}
