/**
 * Makes room when no free run is long enough: picks a stretch of runs that few bytes are used in (the window), takes it
 * out of use, moves its entries elsewhere, and leaves it to the one who asked. One worker at a time, under the
 * compaction lock; stripes, classes and runs are locked only for one step each, so the others go on meanwhile.
 * Overflow buckets never move: a slab of them is no part of a window. Entries of others that are not published yet, or
 * no longer, cannot be moved either, but their owners are done with them in microseconds.
 * Death: a moved entry is in one place or the other, and the note names the other block. The window stays: close() it.
 */
import { type Geometry, HeapControl, UNIT_BYTES } from '../memory/layout.js';
import { holderOf, lock, unlock } from '../memory/lock.js';
import type { SegmentViews } from '../memory/segment.js';
import { load } from '../memory/words.js';
import { native } from '../native.js';
import { type Blocks, ROOMY } from './blocks.js';
import type { Relocator } from './relocator.js';
import { RunKind } from './runs.js';
import { BUCKET_CLASS, blockBytesOf, SHORT_SLAB_UNITS, slabBlocksOf } from './size-class.js';

/** Windows that are tried for one request. */
const ATTEMPTS = 8;
/** Short runs that are freed for one request, so that a window can be emptied into them. */
const MAX_RESERVES = 4;
/** Runs looked at for one window, unless none of them will do. */
const SCAN_RUNS = 256;
/** A window with more than this share of its bytes in use is not worth the work. */
const MAX_FILL = 15 / 16;
/** Looks at blocks that their owners are about to publish or free. */
const PASSES = 20;
const NAP_MS = 0.05;
/** After a failure nothing is tried until so much has been freed, or a quarter of what was asked for. */
const RETRY_BYTES = 16_384;
const BLOCKED = -1;

export class Compactor {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #control: number;
  readonly #lockWord: number;
  readonly #worker: number;
  readonly #blocks: Blocks;
  readonly #relocator: Relocator;
  /** Where the next search starts; any unit will do. */
  #cursor = 0;
  /** Runs that could not be emptied for the request in hand. */
  readonly #avoided = new Int32Array(ATTEMPTS);
  #avoidedCount = 0;
  /** Whether entries that can be moved nowhere go for the request in hand. */
  #mayEvict = false;
  /** What clients had pinned when the request came. */
  readonly #pinned = new Set<number>();
  /** Of the search in hand. */
  #best = -1;
  #bestEnd = 0;
  #bestFill = 0;
  #looksLeft = 0;
  #longestFree = 0;

  constructor(data: SegmentViews, geometry: Geometry, worker: number, blocks: Blocks, relocator: Relocator) {
    this.#words = data.words;
    this.#floats = data.floats;
    this.#control = geometry.heapControlOffset / 4;
    this.#lockWord = this.#control + HeapControl.compactionLock;
    this.#worker = worker;
    this.#blocks = blocks;
    this.#relocator = relocator;
  }

  lock(): void {
    lock(this.#words, this.#lockWord, this.#worker);
  }

  unlock(): void {
    unlock(this.#words, this.#lockWord);
  }

  isHeldBy(worker: number): boolean {
    return holderOf(this.#words, this.#lockWord) === worker;
  }

  /** Bytes in free runs and in free blocks of slabs. */
  freeBytes(): number {
    return this.#blocks.runs.freeUnits * UNIT_BYTES + this.#blocks.freeSlabBytes();
  }

  /** Whether room for a run of `units` is out of reach, as far as is known. Needs no lock. */
  isHopeless(units: number): boolean {
    if (this.freeBytes() < units * UNIT_BYTES) return true;
    const failedUnits = this.#words[this.#control + HeapControl.failedUnits];
    if (failedUnits === 0 || units < failedUnits) return false;
    const at = this.#control / 2 + HeapControl.failedSlabBytes;
    const slabBytes = this.#blocks.freeSlabBytes();
    // What was taken since then and freed again counts as freed.
    if (slabBytes < this.#floats[at]) this.#floats[at] = slabBytes;
    const freedUnits = this.#words[this.#control + HeapControl.freedSince] >>> 0;
    const gained = freedUnits * UNIT_BYTES + slabBytes - this.#floats[at];
    return gained < Math.max(RETRY_BYTES, (units * UNIT_BYTES) / 4);
  }

  /**
   * Empties a window of at least `units`, which this thread's next take() will get. Under the compaction lock.
   * @returns whether it did; close() after taking, in any case
   */
  makeRoom(units: number, mayEvict = false): boolean {
    this.#mayEvict = mayEvict;
    this.#pinned.clear();
    this.#blocks.pins.collect(this.#pinned);
    if (this.#clearWindow(units)) return true;
    // What lies in the way of a long run may need a slab of its own to go to.
    const maxReserves = units > SHORT_SLAB_UNITS ? MAX_RESERVES : 0;
    for (let reserves = 0; reserves < maxReserves; reserves++) {
      if (!this.#clearWindow(SHORT_SLAB_UNITS)) break;
      this.close();
      if (this.#clearWindow(units)) return true;
    }
    this.#words[this.#control + HeapControl.failedUnits] = units;
    this.#words[this.#control + HeapControl.freedSince] = 0;
    this.#floats[this.#control / 2 + HeapControl.failedSlabBytes] = this.#blocks.freeSlabBytes();
    return false;
  }

  /** As makeRoom(), as far as there is a window to be emptied into what is free now. */
  #clearWindow(units: number): boolean {
    this.#avoidedCount = 0;
    while (this.#avoidedCount < ATTEMPTS && this.#openWindow(units)) {
      if (this.#emptyWindow()) {
        this.#floats[this.#control / 2 + HeapControl.compactions]++;
        return true;
      }
      this.close();
    }
    return false;
  }

  /** Gives what is left of the window back to everyone. Under the compaction lock, ours or a dead worker's. */
  close(): void {
    const { runs, slabs } = this.#blocks;
    const end = runs.windowEnd;
    for (let unit = runs.windowFirst; unit < end; unit += runs.lengthOf(unit)) {
      if (runs.kindOf(unit) === RunKind.slab) slabs.attach(unit);
    }
    runs.lock();
    runs.closeWindow();
    runs.unlock();
  }

  /** @returns false if there is no window worth emptying */
  #openWindow(units: number): boolean {
    const { runs } = this.#blocks;
    runs.lock();
    try {
      this.#best = -1;
      this.#bestFill = this.#mayEvict ? Number.POSITIVE_INFINITY : MAX_FILL;
      this.#looksLeft = SCAN_RUNS;
      this.#longestFree = runs.longestFree();
      const start = this.#headFrom(this.#cursor);
      this.#search(start, runs.units, units);
      this.#search(0, start, units);
      if (this.#best < 0) return false;
      this.#cursor = this.#bestEnd;
      runs.openWindow(this.#best, this.#bestEnd);
      return true;
    } finally {
      runs.unlock();
    }
  }

  /** @returns the first unit at or after `unit` that a used run is known to start at, 0: there is none */
  #headFrom(unit: number): number {
    const { runs } = this.#blocks;
    for (; unit < runs.units; unit++) {
      const kind = runs.kindOf(unit);
      if (kind === RunKind.slab || kind === RunKind.large) return unit;
    }
    return 0;
  }

  /** Looks at the windows that start in [from, to) for one that is cheaper than the best. Run lock held. */
  #search(from: number, to: number, units: number): void {
    const { runs } = this.#blocks;
    let first = from;
    let end = from;
    let cost = 0;
    while (first < to && (this.#looksLeft > 0 || this.#best < 0)) {
      while (end - first < units && end < runs.units) {
        const added = this.#costOf(end);
        end += runs.lengthOf(end);
        cost += added;
        this.#looksLeft--;
        if (added !== BLOCKED) continue;
        first = end;
        cost = 0;
      }
      if (end - first < units) return;
      const fill = cost / ((end - first) * UNIT_BYTES);
      if (fill < this.#bestFill) {
        this.#best = first;
        this.#bestEnd = end;
        this.#bestFill = fill;
      }
      const dropped = this.#costOf(first);
      first += runs.lengthOf(first);
      // Slabs change while we look: start afresh where nothing is left over.
      cost = first === end ? 0 : Math.max(0, cost - Math.max(0, dropped));
    }
  }

  /** Bytes to be moved to empty the run, BLOCKED: it cannot be emptied. */
  #costOf(run: number): number {
    const { runs, slabs } = this.#blocks;
    const kind = runs.kindOf(run);
    if (kind === RunKind.free) return 0;
    if (this.#pinned.has(runs.granuleOf(run))) return BLOCKED;
    for (let index = 0; index < this.#avoidedCount; index++) if (this.#avoided[index] === run) return BLOCKED;
    const wholeCost =
      this.#mayEvict || runs.lengthOf(run) <= this.#longestFree ? runs.lengthOf(run) * UNIT_BYTES : BLOCKED;
    if (kind === RunKind.large) return wholeCost;
    const sizeClass = slabs.classOf(run);
    const used = slabs.usedBlocksOf(run);
    if (used === 0) return 0;
    if (sizeClass === BUCKET_CLASS) return BLOCKED;
    const freeElsewhere = slabs.freeBlocksOf(sizeClass) - (slabBlocksOf[sizeClass] - used);
    if (freeElsewhere >= used) return used * blockBytesOf[sizeClass];
    // Without room in the other slabs of its class, emptying it costs another slab.
    return wholeCost;
  }

  /** @returns whether all of the window is free now, and set aside for this thread */
  #emptyWindow(): boolean {
    const { runs, slabs } = this.#blocks;
    const first = runs.windowFirst;
    const end = runs.windowEnd;
    for (let unit = first; unit < end; unit += runs.lengthOf(unit)) {
      if (runs.kindOf(unit) === RunKind.slab) slabs.detach(unit);
    }
    for (let unit = first; unit < end; unit += runs.lengthOf(unit)) {
      if (this.#emptyRun(unit)) continue;
      this.#avoided[this.#avoidedCount++] = unit;
      return false;
    }
    runs.lock();
    const isClaimed = runs.claimWindow();
    runs.unlock();
    if (!isClaimed) this.#avoided[this.#avoidedCount++] = first;
    return isClaimed;
  }

  /** @returns whether the run is free now */
  #emptyRun(run: number): boolean {
    const { runs } = this.#blocks;
    for (let pass = 0; pass < PASSES; pass++) {
      const kind = runs.kindOf(run);
      if (kind === RunKind.free) return true;
      const hasRoom = kind === RunKind.slab ? this.#emptySlab(run) : this.#moveLarge(runs.granuleOf(run));
      if (!hasRoom) return false;
      if (runs.kindOf(run) === RunKind.free) return true;
      // Sleeps, because nobody wakes a sleeper on a lock that we hold; or looks again at once if others want the lock.
      native.futexWait(this.#words, this.#lockWord, load(this.#words, this.#lockWord), NAP_MS);
    }
    return false;
  }

  /** Moves what can be moved. @returns false if there is no room elsewhere */
  #emptySlab(slab: number): boolean {
    const { slabs } = this.#blocks;
    let granule = slabs.nextUsed(slab, 0);
    while (granule !== 0) {
      // The slab goes with its last block.
      const next = slabs.indexOf(slab, granule) + 1;
      if (!this.#moveBlock(granule)) return false;
      granule = slabs.nextUsed(slab, next);
    }
    return true;
  }

  /** As #moveBlock(); what has been pinned meanwhile stays, or there would be two of it. */
  #moveLarge(from: number): boolean {
    return !this.#blocks.pins.isPinned(from) && this.#moveBlock(from);
  }

  /** Moves an entry; one that is not published stays. @returns false if there is no room elsewhere */
  #moveBlock(from: number): boolean {
    const bytes = this.#relocator.bytesOf(from);
    // Only the header of a published entry can be trusted.
    if (bytes <= 0 || bytes > this.#blocks.capacityOf(from)) return true;
    const to = this.#blocks.allocate(bytes) || (this.#mayEvict ? this.#blocks.borrow(bytes, ROOMY) : 0);
    if (to === 0) return this.#mayEvict && this.#evictBlock(from);
    if (this.#relocator.relocate(from, to)) {
      this.#blocks.free(from);
      this.#floats[this.#control / 2 + HeapControl.movedBytes] += bytes;
    } else {
      this.#blocks.free(to);
    }
    return true;
  }

  #evictBlock(from: number): boolean {
    if (this.#relocator.evict(from)) this.#blocks.free(from);
    return true;
  }
}
