/**
 * The heap: memory of the data segment for entries and overflow buckets, addressed by granule (byte offset / 16).
 * Placing is in blocks.ts (slabs.ts, runs.ts), making room by moving entries in compactor.ts.
 * Order of locks: compaction > stripe > class > run. No lock may be held by a caller of allocate() or free().
 * A death leaves locks held, hints wrong and at most three blocks in use that nobody else knows: those named by the
 * worker's record. repair() sets the first two right; the third is for the caller, by free().
 */
import { type Geometry, HeapControl, SizeClass, UNIT_BYTES, WorkerRecord, workerBase } from '../memory/layout.js';
import { holderOf, unlock } from '../memory/lock.js';
import type { SegmentViews } from '../memory/segment.js';
import { load, store } from '../memory/words.js';
import { BLOCK_NOTES } from './block-notes.js';
import { Blocks, NEAR, unitsOf } from './blocks.js';
import { Compactor } from './compactor.js';
import type { Eviction } from './eviction.js';
import type { HeapUsage, UsedBlock } from './heap-usage.js';
import { NO_PINS, type PinnedBlocks } from './limbo.js';
import type { Relocator } from './relocator.js';
import { RunKind } from './runs.js';
import { BUCKET_CLASS, blockBytesOf, MAX_SMALL_BYTES, SIZE_CLASSES, sizeClassOf, slabUnitsOf } from './size-class.js';

/** Share of the heap that may lie free in blocks of the wrong sizes before entries are moved. */
const RESERVE = 1 / 64;
/** Bytes evicted at most for each byte asked for, or a quarter of the heap. */
const EVICTED_TIMES = 16;

export class Heap {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #geometry: Geometry;
  readonly #control: number;
  readonly #blocks: Blocks;
  readonly #compactor: Compactor;
  readonly #record: number;
  readonly #eviction: Eviction | undefined;
  /** Size class of the kept block; -1: none is kept. */
  #keptClass = -1;

  constructor(
    data: SegmentViews,
    geometry: Geometry,
    worker: number,
    relocator: Relocator,
    pins: PinnedBlocks,
    eviction?: Eviction,
  ) {
    this.#words = data.words;
    this.#floats = data.floats;
    this.#geometry = geometry;
    this.#control = geometry.heapControlOffset / 4;
    this.#record = workerBase(geometry, worker);
    this.#blocks = new Blocks(data, geometry, worker, pins);
    this.#eviction = eviction;
    this.#compactor = new Compactor(data, geometry, worker, this.#blocks, relocator);
  }

  /** Makes all of it free. Nobody else may use the segment yet. */
  static format(data: SegmentViews, geometry: Geometry): void {
    new Blocks(data, geometry, 0, NO_PINS).format();
  }

  /**
   * With no lock held, and no block pending.
   * @returns the granule of a block of at least `bytes`, named by the record's `pendingBlock`; 0: the heap is full
   */
  allocate(bytes: number): number {
    if (this.#keptClass >= 0 && bytes <= MAX_SMALL_BYTES && sizeClassOf(bytes) === this.#keptClass) {
      return this.#takeKept();
    }
    const granule = this.#blocks.allocate(bytes);
    return granule !== 0 ? granule : this.#allocateCompacting(bytes);
  }

  /**
   * With no lock held, and no block pending.
   * @returns the granule of a block for an overflow bucket, named by the record's `spareBucket`; 0: the heap is full
   */
  allocateBucket(): number {
    const granule = this.#blocks.allocateBucket();
    return granule !== 0 ? granule : this.#allocateCompacting(0);
  }

  /**
   * Frees a block that the map does not name and clears the worker's note of it; a pinned one when it is let go.
   * @returns false, and changes nothing, if none in use starts there
   */
  free(granule: number): boolean {
    return this.#blocks.free(granule);
  }

  /**
   * free() for the pending block after a replacement: a small one is kept, because the next entry is likely to be of the
   * same size, and the block is in the caches and in use already. The one kept before is freed.
   */
  recycle(granule: number): void {
    const sizeClass = this.#blocks.sizeClassAt(granule);
    if (sizeClass < 0) {
      this.free(granule);
      return;
    }
    this.releaseKept();
    // The block is named by either note, or by both.
    store(this.#words, this.#record + WorkerRecord.keptBlock, granule);
    store(this.#words, this.#record + WorkerRecord.pendingBlock, 0);
    this.#keptClass = sizeClass;
  }

  #takeKept(): number {
    const granule = load(this.#words, this.#record + WorkerRecord.keptBlock);
    store(this.#words, this.#record + WorkerRecord.pendingBlock, granule);
    store(this.#words, this.#record + WorkerRecord.keptBlock, 0);
    this.#keptClass = -1;
    return granule;
  }

  /** Frees the block that recycle() keeps: before the worker rests, or when memory is short. */
  releaseKept(): void {
    if (this.#keptClass < 0) return;
    this.#keptClass = -1;
    this.free(load(this.#words, this.#record + WorkerRecord.keptBlock));
  }

  isUsed(granule: number): boolean {
    return this.#blocks.isUsed(granule);
  }

  /** Bytes of the block that starts at `granule`; 0: it is not in use. */
  capacityOf(granule: number): number {
    return this.#blocks.capacityOf(granule);
  }

  /** @param bytes 0: an overflow bucket */
  #allocateCompacting(bytes: number): number {
    this.releaseKept();
    const compactor = this.#compactor;
    const units =
      bytes > MAX_SMALL_BYTES ? unitsOf(bytes) : slabUnitsOf[bytes === 0 ? BUCKET_CLASS : sizeClassOf(bytes)];
    if (this.#blocks.reclaim()) {
      const granule = this.#place(bytes);
      if (granule !== 0) return granule;
    }
    if (this.#eviction !== undefined) return this.#allocateEvicting(bytes, units, this.#eviction);
    return compactor.isHopeless(units) ? this.#blocks.borrow(bytes) : this.#compact(bytes, units, false);
  }

  /**
   * Entries go until the block fits. Whatever size they are of: once enough is free in all, a stretch of memory is
   * emptied, and what of it finds no other place goes too. So much is free at most that nobody finds a place for.
   */
  #allocateEvicting(bytes: number, units: number, eviction: Eviction): number {
    const heapBytes = this.#blocks.runs.units * UNIT_BYTES;
    let enough = Math.min(heapBytes / 2, 2 * units * UNIT_BYTES + heapBytes * RESERVE);
    let evictable = Math.max(EVICTED_TIMES * bytes, heapBytes / 4);
    eviction.begin();
    const near = this.#place(bytes) || this.#blocks.borrow(bytes, NEAR);
    if (near !== 0) return near;
    for (let fruitless = 0; evictable > 0 && fruitless < eviction.patience;) {
      if (this.#compactor.freeBytes() - this.#blocks.freeBucketBytes() >= enough) {
        const granule = this.#compact(bytes, units, true);
        if (granule !== 0) return granule;
        enough *= 2;
      }
      const freed = eviction.step();
      const granule = freed > 0 ? this.#place(bytes) || this.#blocks.borrow(bytes, NEAR) : 0;
      if (granule !== 0) return granule;
      evictable -= freed;
      fruitless = freed > 0 ? 0 : fruitless + 1;
    }
    return this.#compact(bytes, units, true);
  }

  #compact(bytes: number, units: number, mayEvict: boolean): number {
    const compactor = this.#compactor;
    compactor.lock();
    try {
      // Others may have made room while we waited for the lock.
      let granule = this.#place(bytes);
      if (granule === 0 && compactor.makeRoom(units, mayEvict)) granule = this.#place(bytes);
      compactor.close();
      return granule !== 0 ? granule : this.#blocks.borrow(bytes);
    } finally {
      compactor.unlock();
    }
  }

  #place(bytes: number): number {
    return bytes === 0 ? this.#blocks.allocateBucket() : this.#blocks.allocate(bytes);
  }

  /** Takes no lock: exact while nobody allocates or frees. */
  usage(): HeapUsage {
    const words = this.#words;
    const floats = this.#control / 2;
    const { runs, slabs } = this.#blocks;
    let slabUnits = 0;
    for (let index = 0; index < SIZE_CLASSES; index++) slabUnits += slabs.slabsOf(index) * slabUnitsOf[index];
    const longest = runs.longestFree();
    const totalBytes = runs.units * UNIT_BYTES;
    const freeBytes = this.#compactor.freeBytes();
    return {
      totalBytes,
      freeBytes: Math.round(freeBytes),
      usedBytes: Math.round(totalBytes - freeBytes),
      largestFreeBytes: Math.min(longest, runs.units) * UNIT_BYTES,
      slabBytes: slabUnits * UNIT_BYTES,
      largeBlocks: words[this.#control + HeapControl.largeRuns],
      compactions: this.#floats[floats + HeapControl.compactions],
      movedBytes: this.#floats[floats + HeapControl.movedBytes],
      pinnedBlocks: words[this.#control + HeapControl.limboBlocks],
    };
  }

  /** All blocks in use, in order of address; exact while nobody allocates or frees. */
  *usedBlocks(): Generator<UsedBlock, void, undefined> {
    const { runs, slabs } = this.#blocks;
    for (let unit = 0; unit < runs.units; unit += runs.lengthOf(unit)) {
      const kind = runs.kindOf(unit);
      if (kind === RunKind.large) {
        yield { granule: runs.granuleOf(unit), bytes: runs.lengthOf(unit) * UNIT_BYTES, isBucket: false };
      } else if (kind === RunKind.slab) {
        const sizeClass = slabs.classOf(unit);
        const bytes = blockBytesOf[sizeClass];
        let granule = slabs.nextUsed(unit, 0);
        for (; granule !== 0; granule = slabs.nextUsed(unit, slabs.indexOf(unit, granule) + 1)) {
          yield { granule, bytes, isBucket: sizeClass === BUCKET_CLASS };
        }
      }
    }
  }

  /**
   * Sets right what a dead worker was changing, and releases the heap's locks that it held. Other workers may go on.
   * Afterwards its notes name only blocks in use, which are its own: free() those that the map has not taken over.
   * @param isPartial leaves its compaction, if it held that, to a repair that may wait for other locks
   */
  repair(deadWorker: number, isPartial = false): void {
    const words = this.#words;
    const { runs, slabs } = this.#blocks;
    const runLock = this.#control + HeapControl.runLock;
    if (holderOf(words, runLock) === deadWorker) {
      runs.rebuild();
      this.#dropStaleNotes(deadWorker);
      this.#repairLimbo(deadWorker);
      unlock(words, runLock);
    }
    const isCompactorDead = this.#compactor.isHeldBy(deadWorker);
    for (let index = 0; index < SIZE_CLASSES; index++) {
      const classLock = (this.#geometry.sizeClassesOffset + index * SizeClass.sizeBytes) / 4 + SizeClass.lock;
      if (holderOf(words, classLock) !== deadWorker) continue;
      slabs.rebuild(index, isCompactorDead);
      this.#dropStaleNotes(deadWorker);
      unlock(words, classLock);
    }
    if (isCompactorDead && !isPartial) {
      this.#compactor.close();
      this.#compactor.unlock();
    }
  }

  /** Frees the blocks that a dead worker's notes name, as that worker, once the map has taken over what is its own. */
  freeNoted(): void {
    const pending = load(this.#words, this.#record + WorkerRecord.pendingBlock);
    const kept = load(this.#words, this.#record + WorkerRecord.keptBlock);
    if (pending !== 0) this.free(pending);
    // A block that both name may have a new owner already.
    if (kept !== 0 && kept !== pending) this.free(kept);
  }

  /** Clears a note of what is in limbo already, while the run lock keeps everyone from taking it out. */
  #repairLimbo(worker: number): void {
    const { limbo } = this.#blocks;
    const pending = workerBase(this.#geometry, worker) + WorkerRecord.pendingBlock;
    const granules = [...limbo.granules()];
    this.#words[this.#control + HeapControl.limboBlocks] = granules.length;
    if (granules.includes(load(this.#words, pending))) store(this.#words, pending, 0);
  }

  /** Freed blocks that stay in use for clients that have pinned them; exact while nobody frees. */
  pinnedBlocks(): number[] {
    return [...this.#blocks.limbo.granules()];
  }

  /** Clears notes of blocks that are not in use, while the lock that guards them keeps everyone from taking them. */
  #dropStaleNotes(worker: number): void {
    const record = workerBase(this.#geometry, worker);
    for (const note of BLOCK_NOTES) {
      const granule = load(this.#words, record + note);
      if (granule !== 0 && !this.#blocks.isUsed(granule)) store(this.#words, record + note, 0);
    }
  }
}
