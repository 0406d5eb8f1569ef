/**
 * A heap of a few dozen units for explorations, with two workers' records and a pin. What of it may be looked at without
 * a lock is a step; everything else belongs to whoever holds the lock that guards it, and whoever touches it without
 * that lock is found out.
 */
import {
  GRANULE_BYTES,
  type Geometry,
  geometryOf,
  HeapControl,
  SizeClass,
  SlabHeader,
  UNIT_BYTES,
  workerBase,
  WorkerRecord,
} from '#dist/memory/layout.js';
import { type SegmentViews, viewsOf } from '#dist/memory/segment.js';
import { load, store } from '#dist/memory/words.js';
import { BLOCK_NOTES } from '#dist/store/block-notes.js';
import { binOf } from '#dist/store/free-runs.js';
import { HeapRebuild } from '#dist/store/heap-rebuild.js';
import { Heap } from '#dist/store/heap.js';
import type { PinnedBlocks } from '#dist/store/limbo.js';
import { RunKind, Runs } from '#dist/store/runs.js';
import { blockBytesOf, SIZE_CLASSES, slabBlocksOf, slabUnitsOf } from '#dist/store/size-class.js';

import type { Access } from './explore.js';

export const WORKERS = 2;
const RUN_BINS = 160;
const UNIT_WORDS = UNIT_BYTES / 4;
/** Of a run: header, bitmap and links. */
const HEAD_WORDS = 16;
/** As they are before anything is explored. */
const REAL = {
  load: Atomics.load,
  store: Atomics.store,
  exchange: Atomics.exchange,
  compareExchange: Atomics.compareExchange,
};
const noRelocation = { bytesOf: () => 0, relocate: () => false, evict: () => false };

/** The class of eight blocks in sixteen units, and the bytes of its blocks. */
const SMALL_CLASS = slabBlocksOf.findIndex((blocks, index) => blocks === 8 && slabUnitsOf[index] === 16);
export const SMALL = blockBytesOf[SMALL_CLASS];
/** A block of nine units, which may be pinned. */
export const LARGE = 9 * UNIT_BYTES;

export type Block = readonly [granule: number, bytes: number];

function must(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new Error(what());
}

export class HeapWords {
  readonly geometry: Geometry;
  readonly #raw: SegmentViews;
  readonly #views: SegmentViews;
  /** A copy, for what the next server makes of it. */
  readonly #next: SegmentViews;
  /** What that was looked at for already: most states differ only in what somebody is about to do. */
  readonly #restarted = new Set<string>();
  readonly #runs: Runs;
  readonly #control: number;
  readonly #table: number;
  readonly #heap: number;
  readonly #pin: number;
  readonly #classLock: number;

  constructor(heapUnits: number) {
    const workersOffset = 128;
    const heapControlOffset = workersOffset + WORKERS * WorkerRecord.sizeBytes;
    const sizeClassesOffset = heapControlOffset + HeapControl.sizeBytes;
    const unitTableOffset = sizeClassesOffset + SIZE_CLASSES * SizeClass.sizeBytes;
    const heapOffset = Math.ceil((unitTableOffset + heapUnits * 4) / UNIT_BYTES) * UNIT_BYTES;
    const dataBytes = heapOffset + heapUnits * UNIT_BYTES;
    const shape = { slots: 16, stripes: 1, workers: WORKERS, maxValueBytes: 8, maxMemoryBytes: 4 * 2 ** 20 };
    const offsets = { workersOffset, heapControlOffset, sizeClassesOffset, unitTableOffset, heapOffset };
    this.geometry = { ...geometryOf(shape), ...offsets, heapUnits, dataBytes };
    this.#raw = viewsOf(new SharedArrayBuffer(dataBytes));
    this.#next = viewsOf(new SharedArrayBuffer(dataBytes));
    this.#runs = new Runs(this.#raw, this.geometry, 0);
    this.#control = heapControlOffset / 4;
    this.#table = unitTableOffset / 4;
    this.#heap = heapOffset / 4;
    this.#pin = 8;
    this.#classLock = (sizeClassesOffset + SMALL_CLASS * SizeClass.sizeBytes) / 4 + SizeClass.lock;
    const { words } = this.#raw;
    const fill = (value: number, first: number, end: number) => {
      for (let index = first; index < end; index++) store(words, index, value);
    };
    this.#views = {
      ...this.#raw,
      words: new Proxy(words, {
        get: (_, name) => (name === 'fill' ? fill : load(words, Number(name))),
        set: (_, name, value: number) => (store(words, Number(name), value), true),
      }),
    };
  }

  get words(): Int32Array {
    return this.#raw.words;
  }

  readonly #pins: PinnedBlocks = {
    isPinned: (granule) => load(this.words, this.#pin) === granule,
    collect: (granules) => granules.add(load(this.words, this.#pin)),
  };

  /** The heap as a worker sees it, by steps. */
  heapOf(worker: number): Heap {
    return new Heap(this.#views, this.geometry, worker, noRelocation, this.#pins);
  }

  pin(granule: number): void {
    store(this.words, this.#pin, granule);
  }

  note(worker: number, granule: number): void {
    store(this.words, workerBase(this.geometry, worker) + WorkerRecord.pendingBlock, granule);
  }

  /** Makes it hold blocks of these sizes, without steps; `frees`: which of them are freed again. */
  prepare(sizes: readonly number[], frees: readonly number[]): Block[] {
    Heap.format(this.#raw, this.geometry);
    const heap = new Heap(this.#raw, this.geometry, 0, noRelocation, this.#pins);
    const blocks = sizes.map((bytes): Block => {
      const block: Block = [heap.allocate(bytes), bytes];
      this.note(0, 0);
      return block;
    });
    for (const index of frees) heap.free(blocks[index][0]);
    // What is free holds whatever was there: behind the links, where a slab has its header and bitmap.
    for (let unit = 0, length = 1; unit < this.#runs.units && length > 0; unit += length) {
      length = this.#runs.lengthOf(unit);
      const first = this.#heap + unit * UNIT_WORDS;
      if (this.#runs.kindOf(unit) === RunKind.free) this.words.fill(-1, first + 3, first + 9);
    }
    return blocks.filter((_, index) => !frees.includes(index));
  }

  isLock(index: number): boolean {
    const line = index - this.geometry.sizeClassesOffset / 4;
    const isOfClass =
      line >= 0 && line < (SIZE_CLASSES * SizeClass.sizeBytes) / 4 && line % (SizeClass.sizeBytes / 4) === 0;
    return isOfClass || index === this.#control + HeapControl.runLock;
  }

  /** Locks of what is not used here are free all the time. */
  isConstant(index: number): boolean {
    if (index === this.#control + HeapControl.compactionLock) return true;
    return this.isLock(index) && index !== this.#control + HeapControl.runLock && index !== this.#classLock;
  }

  /** A lock that is held is waited for; how, is lock.test.ts. */
  isBlocked(kind: Access['kind'], index: number): boolean {
    return kind === 'cas' && this.words[index] !== 0;
  }

  /** @param worker -1: a client */
  isHidden(kind: Access['kind'], index: number, worker: number): boolean {
    if (index === this.#pin || this.isLock(index)) return false;
    const hasRuns = this.#holds(this.#control + HeapControl.runLock, worker);
    const hasClass = this.#holds(this.#classLock, worker);
    const where = () => `word ${index}, ${kind} by worker ${worker}`;
    if (index < this.#control) {
      must(Math.floor((index - workerBase(this.geometry, worker)) / (WorkerRecord.sizeBytes / 4)) === 0, where);
      return true;
    }
    const isInClass = index >= this.geometry.sizeClassesOffset / 4 && index < this.#table;
    const isHead = index >= this.#heap && (index - this.#heap) % UNIT_WORDS === 0;
    const isHeld = isInClass ? hasClass : index >= this.#heap ? hasRuns || hasClass : hasRuns;
    const isSeen =
      isHead || (index >= this.#table && index < this.#heap) || index === this.#control + HeapControl.limbo;
    // Whether the limbo is empty, and which slab a block is in, is looked at without a lock.
    must(isHeld || (kind === 'load' && isSeen), () => `${where()}: without the lock that guards it`);
    return isHeld && !(isSeen && (kind !== 'load' || !hasRuns));
  }

  #holds(lock: number, worker: number): boolean {
    return (this.words[lock] & 0xff) === worker + 1;
  }

  /** Whether blocks share memory. */
  static overlap([a, aBytes]: Block, [b, bBytes]: Block): boolean {
    return a !== 0 && b !== 0 && a < b + bBytes / GRANULE_BYTES && b < a + aBytes / GRANULE_BYTES;
  }

  /** Throws unless what the map names, and what is pinned, is in use. */
  checkPublished(published: readonly Block[]): void {
    const heap = new Heap(this.#raw, this.geometry, 0, noRelocation, this.#pins);
    const pinned = this.words[this.#pin];
    for (const [granule] of published) must(heap.isUsed(granule), () => `${granule} is published and free`);
    must(pinned === 0 || heap.isUsed(pinned), () => `${pinned} is pinned and free`);
  }

  /** All of the server dies now: what the next one makes of the heap holds what the map names, and the pinned block. */
  checkRestart(published: readonly Block[]): void {
    const { words } = this.#next;
    let key = published.join();
    for (let index = 0; index < this.words.length; index++) {
      // Of a block itself nothing is looked at but its first words.
      if (index >= this.#heap && (index - this.#heap) % UNIT_WORDS === HEAD_WORDS) index += UNIT_WORDS - HEAD_WORDS;
      if (this.words[index] !== 0) key += ` ${index} ${this.words[index]}`;
    }
    if (this.#restarted.has(key)) return;
    this.#restarted.add(key);
    words.set(this.words);
    // Of what is being explored only the words themselves are: this copy is not.
    const { load, store, exchange, compareExchange } = Atomics;
    Object.assign(Atomics, REAL);
    try {
      this.#rebuild(published);
    } finally {
      Object.assign(Atomics, { load, store, exchange, compareExchange });
    }
  }

  #rebuild(published: readonly Block[]): void {
    const { words } = this.#next;
    const rebuild = new HeapRebuild(this.#next, this.geometry);
    rebuild.begin();
    for (const [granule, bytes] of published) {
      must(rebuild.locate(granule, false) >= bytes && rebuild.take(), () => `${granule} is not found after a restart`);
    }
    rebuild.takePinned(words[this.#pin]);
    rebuild.end();
    for (let worker = 0; worker < WORKERS; worker++) {
      for (const note of BLOCK_NOTES) words[workerBase(this.geometry, worker) + note] = 0;
    }
    this.#check(this.#next, published, 'after a restart, ');
  }

  /** Nobody is at work: what is in use is published or in limbo, and all hints are right. */
  checkRest(published: readonly Block[]): void {
    this.#check(this.#raw, published, '');
  }

  #check(data: SegmentViews, published: readonly Block[], when: string): void {
    const heap = new Heap(data, this.geometry, 0, noRelocation, this.#pins);
    const limbo = heap.pinnedBlocks();
    const expected = [...published.map(([granule]) => granule), ...limbo].sort((a, b) => a - b).join();
    const used = [...heap.usedBlocks()].map(({ granule }) => granule).join();
    must(used === expected, () => `${when}in use: ${used}, named: ${expected}`);
    const { words } = data;
    for (let worker = 0; worker < WORKERS; worker++) {
      for (const note of BLOCK_NOTES) {
        must(words[workerBase(this.geometry, worker) + note] === 0, () => `${when}worker ${worker} has a note`);
      }
    }
    must(words[this.#control + HeapControl.limboBlocks] === limbo.length, () => `${when}the limbo is miscounted`);
    this.#checkRuns(words, when);
    this.#checkClass(words, when);
  }

  #checkRuns(words: Int32Array, when: string): void {
    const free: string[] = [];
    let [freeUnits, large, isAfterFree] = [0, 0, false];
    for (let unit = 0, length = 0; unit < this.#runs.units; unit += length) {
      const word = words[this.#table + unit];
      length = word & (2 ** 28 - 1);
      const kind = word >>> 28;
      must(length > 0 && kind !== RunKind.inner, () => `${when}no run at unit ${unit}`);
      must(length === 1 || words[this.#table + unit + length - 1] === length - 1, () => `${when}no end of run ${unit}`);
      must(!(isAfterFree && kind === RunKind.free), () => `${when}two free runs side by side at ${unit}`);
      isAfterFree = kind === RunKind.free;
      if (isAfterFree) {
        free.push(`${unit}+${length}`);
        freeUnits += length;
      } else if (kind === RunKind.large) large++;
    }
    must(words[this.#control + HeapControl.freeUnits] === freeUnits, () => `${when}free units are miscounted`);
    must(words[this.#control + HeapControl.largeRuns] === large, () => `${when}large runs are miscounted`);
    const listed = this.#listedRuns(words, when).join();
    must(listed === free.join(), () => `${when}listed runs: ${listed}, free: ${free.join()}`);
  }

  #listedRuns(words: Int32Array, when: string): string[] {
    const listed: [number, number][] = [];
    for (let bin = 0; bin < RUN_BINS; bin++) {
      let run = words[this.#control + HeapControl.bins + bin];
      const isMapped = (words[this.#control + HeapControl.binMap + (bin >> 5)] & (1 << (bin & 31))) !== 0;
      must(isMapped === (run !== 0), () => `${when}bin ${bin} is mapped: ${isMapped}`);
      for (let previous = 0; run !== 0 && listed.length <= this.#runs.units;) {
        const link = this.#heap + (run - 1) * UNIT_WORDS;
        must(
          words[link + 1] === previous && binOf(words[link + 2]) === bin,
          () => `${when}run ${run - 1} is listed wrongly`,
        );
        listed.push([run - 1, words[link + 2]]);
        previous = run;
        run = words[link];
      }
    }
    return listed.sort(([a], [b]) => a - b).map(([unit, length]) => `${unit}+${length}`);
  }

  #checkClass(words: Int32Array, when: string): void {
    const line = this.#classLock - SizeClass.lock;
    const partial: number[] = [];
    let [slabs, free] = [0, 0];
    for (let unit = 0; unit < this.#runs.units; unit += words[this.#table + unit] & (2 ** 28 - 1)) {
      if (words[this.#table + unit] >>> 28 !== RunKind.slab) continue;
      const header = this.#heap + unit * UNIT_WORDS;
      const bits = words[header + SlabHeader.sizeBytes / 4] & 0xff;
      const used = [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (bits & (1 << bit)) !== 0).length;
      must(words[header + SlabHeader.usedBlocks] === used, () => `${when}blocks of slab ${unit} are miscounted`);
      slabs++;
      free += 8 - used;
      if (used < 8) partial.push(unit);
    }
    must(words[line + SizeClass.slabs] === slabs, () => `${when}slabs are miscounted`);
    must(words[line + SizeClass.freeBlocks] === free, () => `${when}free blocks are miscounted`);
    const listed: number[] = [];
    for (let at = words[line + SizeClass.partial], previous = 0; at !== 0 && listed.length <= this.#runs.units;) {
      const header = this.#heap + (at - 1) * UNIT_WORDS;
      must(words[header + SlabHeader.previous] === previous, () => `${when}slab ${at - 1} is listed wrongly`);
      listed.push(at - 1);
      previous = at;
      at = words[header + SlabHeader.next];
    }
    must(listed.sort((a, b) => a - b).join() === partial.join(), () => `${when}listed slabs: ${listed.join()}`);
    const empty = words[line + SizeClass.empty] - 1;
    const isEmpty = () => (words[this.#heap + empty * UNIT_WORDS + SlabHeader.sizeBytes / 4] & 0xff) === 0;
    must(empty < 0 || (partial.includes(empty) && isEmpty()), () => `${when}slab ${empty} is kept, and not empty`);
  }
}
