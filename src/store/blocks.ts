/**
 * Blocks of any size, placed where there is room now: small ones in slabs, large ones as runs of their own.
 * Each change is one store under the lock of a class or of the runs. The worker's record names a block from before it
 * is in use until it is free again or the map owns it: a death leaves the block free, or used and noted.
 */
import { type Geometry, UNIT_BYTES, WorkerRecord, workerBase } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { store } from '../memory/words.js';
import { Limbo, type PinnedBlocks } from './limbo.js';
import { RunKind, Runs } from './runs.js';
import {
  BUCKET_CLASS,
  blockBytesOf,
  MAX_SMALL_BYTES,
  SIZE_CLASSES,
  sizeClassOf,
  slabBytesPerBlock,
} from './size-class.js';
import { Slabs } from './slabs.js';

/** A small block may lie in a larger one of up to this many times its size before the heap counts as full. */
const BORROW_FACTOR = 2;
/** The same while entries are evicted: a block that is larger by no more is as good. */
export const NEAR = 1.25;
/** The same for an entry that would have to go instead. */
export const ROOMY = 4;

/** The units that a large block of `bytes` takes. */
export const unitsOf = (bytes: number): number => Math.ceil(bytes / UNIT_BYTES);

export class Blocks {
  readonly runs: Runs;
  readonly slabs: Slabs;
  readonly limbo: Limbo;
  readonly pins: PinnedBlocks;
  readonly #words: Int32Array;
  readonly #pending: number;

  constructor(data: SegmentViews, geometry: Geometry, worker: number, pins: PinnedBlocks) {
    this.runs = new Runs(data, geometry, worker);
    this.slabs = new Slabs(data, geometry, worker, this.runs);
    this.limbo = new Limbo(data, geometry, worker, this.runs, pins);
    this.pins = pins;
    this.#words = data.words;
    this.#pending = workerBase(geometry, worker) + WorkerRecord.pendingBlock;
  }

  /** Makes the heap one free run. Nobody else may use the segment yet. */
  format(): void {
    this.runs.format();
    this.slabs.format();
  }

  /** @returns the granule of a block, noted as pending; 0: no room */
  allocate(bytes: number): number {
    if (bytes > MAX_SMALL_BYTES) return this.#allocateRun(unitsOf(bytes));
    return this.slabs.allocate(sizeClassOf(bytes), WorkerRecord.pendingBlock);
  }

  /** @returns the granule of an overflow bucket, noted as spare; 0: no room */
  allocateBucket(): number {
    return this.slabs.allocate(BUCKET_CLASS, WorkerRecord.spareBucket);
  }

  /** allocate() of the last resort for a small block: takes one that is larger than it should be, up to `factor` times. */
  borrow(bytes: number, factor = BORROW_FACTOR): number {
    if (bytes === 0 || bytes > MAX_SMALL_BYTES) return 0;
    const limit = bytes * factor;
    for (let index = sizeClassOf(bytes) + 1; index < SIZE_CLASSES && blockBytesOf[index] <= limit; index++) {
      if (this.slabs.freeBlocksOf(index) <= 0) continue;
      const granule = this.slabs.allocate(index, WorkerRecord.pendingBlock);
      if (granule !== 0) return granule;
    }
    const units = unitsOf(bytes);
    return units * UNIT_BYTES <= limit ? this.#allocateRun(units) : 0;
  }

  #allocateRun(units: number): number {
    this.runs.lock();
    try {
      const run = this.runs.take(units);
      if (run < 0) return 0;
      const granule = this.runs.granuleOf(run);
      store(this.#words, this.#pending, granule);
      this.runs.commit(run, units, RunKind.large);
      return granule;
    } finally {
      this.runs.unlock();
    }
  }

  /**
   * Frees the block at `granule` and clears its notes; one that a client has pinned stays as it is until it is let go.
   * The map does not name it. @returns false, and changes nothing, if none in use starts there
   */
  free(granule: number): boolean {
    const unit = this.runs.unitOf(granule);
    if (unit < 0) return false;
    const slab = this.runs.slabAt(unit);
    return slab >= 0 ? this.slabs.free(slab, granule) : this.#freeRun(unit, granule);
  }

  #freeRun(unit: number, granule: number): boolean {
    const isPinned = this.pins.isPinned(granule);
    this.runs.lock();
    try {
      if (!this.#isLarge(unit, granule)) return false;
      if (isPinned) this.limbo.add(granule);
      else this.runs.free(unit);
      this.slabs.forget(granule);
      this.limbo.settle();
      return true;
    } finally {
      this.runs.unlock();
    }
  }

  /** Frees what was kept back for clients that have let go of it. No block is pending. @returns whether there was any */
  reclaim(): boolean {
    if (this.limbo.isEmpty) return false;
    this.runs.lock();
    try {
      return this.limbo.reclaim();
    } finally {
      this.runs.unlock();
    }
  }

  /** Whether a block in use starts at `granule`. */
  isUsed(granule: number): boolean {
    const unit = this.runs.unitOf(granule);
    if (unit < 0) return false;
    const slab = this.runs.slabAt(unit);
    return slab >= 0 ? this.slabs.isUsed(slab, granule) : this.#isLarge(unit, granule);
  }

  /** Bytes of the block at `granule`; 0: none in use starts there. */
  capacityOf(granule: number): number {
    if (!this.isUsed(granule)) return 0;
    const unit = this.runs.unitOf(granule);
    const slab = this.runs.slabAt(unit);
    return slab >= 0 ? blockBytesOf[this.slabs.classOf(slab)] : this.runs.lengthOf(unit) * UNIT_BYTES;
  }

  /** Size class of the block in use at `granule`; -1: it is a run of its own. */
  sizeClassAt(granule: number): number {
    const slab = this.runs.slabAt(this.runs.unitOf(granule));
    return slab < 0 ? -1 : this.slabs.classOf(slab);
  }

  /** Bytes of the free blocks of all slabs, with their shares of the slabs' headers: an empty slab counts in full. */
  freeSlabBytes(): number {
    let bytes = 0;
    for (let index = 0; index < SIZE_CLASSES; index++)
      bytes += this.slabs.freeBlocksOf(index) * slabBytesPerBlock[index];
    return bytes;
  }

  /** Of these, what no entry can have. */
  freeBucketBytes(): number {
    return this.slabs.freeBlocksOf(BUCKET_CLASS) * slabBytesPerBlock[BUCKET_CLASS];
  }

  #isLarge(unit: number, granule: number): boolean {
    return this.runs.kindOf(unit) === RunKind.large && granule === this.runs.granuleOf(unit);
  }
}
