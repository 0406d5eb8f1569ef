/**
 * Rebuilds the heap from what is in use, after all workers died: the heads of the unit table say where runs begin, the
 * map says which blocks are used; bitmaps, lists and counts are made afresh, and what nobody names is free again.
 * Nobody else may be at work; direct readers never look at any of this. Each head changes by one store, and nothing is
 * made from what is being remade, so a death in the middle only means that the next server begins again.
 */
import { type Geometry, GRANULE_BYTES, HeapControl, SizeClass, SlabHeader, UNIT_BYTES } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { linkOf } from './limbo.js';
import { RunKind, Runs } from './runs.js';
import {
  BUCKET_CLASS,
  blockBytesOf,
  clearBitmap,
  firstBlockOf,
  SIZE_CLASSES,
  slabBlocksOf,
  slabUnitsOf,
} from './size-class.js';
import { Slabs } from './slabs.js';

const NONE = -1;
/** In place of a size class: one large block. */
const LARGE = 255;
const HEADER_WORDS = SlabHeader.sizeBytes / 4;
const UNIT_GRANULES = UNIT_BYTES / GRANULE_BYTES;

export class HeapRebuild {
  readonly #words: Int32Array;
  readonly #geometry: Geometry;
  readonly #runs: Runs;
  readonly #slabs: Slabs;
  readonly #heapGranule: number;
  /** By unit: the first unit of its slab; of a large block for its first unit only; NONE. */
  readonly #headOf: Int32Array;
  /** By first unit: the size class, or LARGE. */
  readonly #classOf: Uint8Array;
  readonly #hasUsed: Uint8Array;
  /**
   * By granule of the heap, a bit: a block in use starts there. The slabs' bitmaps are made of it in the end: they lie
   * far apart, and at distances that share few sets of a cache.
   */
  readonly #isUsed: Int32Array;
  /** Of the last locate(). */
  #head = 0;
  #offset = 0;

  constructor(data: SegmentViews, geometry: Geometry) {
    this.#words = data.words;
    this.#geometry = geometry;
    this.#runs = new Runs(data, geometry, 0);
    this.#slabs = new Slabs(data, geometry, 0, this.#runs);
    this.#heapGranule = geometry.heapOffset / GRANULE_BYTES;
    this.#headOf = new Int32Array(geometry.heapUnits).fill(NONE);
    this.#classOf = new Uint8Array(geometry.heapUnits);
    this.#hasUsed = new Uint8Array(geometry.heapUnits);
    this.#isUsed = new Int32Array((geometry.heapUnits * UNIT_GRANULES) / 32);
  }

  /** Makes every block free, and every lock. @throws Error when the unit table is damaged: no block can be told */
  begin(): void {
    const { units } = this.#runs;
    for (let unit = 0, length = 0; unit < units; unit += length) {
      length = this.#runs.lengthOf(unit);
      const kind = this.#runs.kindOf(unit);
      if (length < 1 || unit + length > units || kind < RunKind.free || kind > RunKind.large) {
        throw new Error(`the heap's unit table is damaged at unit ${unit} of ${units}`);
      }
      if (kind === RunKind.slab) this.#beginSlab(unit, length);
      else if (kind === RunKind.large) this.#noteHead(unit, 1, LARGE);
    }
    const control = this.#geometry.heapControlOffset / 4;
    for (const word of [
      HeapControl.runLock,
      HeapControl.compactionLock,
      HeapControl.windowFirst,
      HeapControl.windowEnd,
      HeapControl.failedUnits,
      HeapControl.limbo,
      HeapControl.limboBlocks,
      HeapControl.limboFrees,
    ]) {
      this.#words[control + word] = 0;
    }
    for (let index = 0; index < SIZE_CLASSES; index++) {
      this.#words[(this.#geometry.sizeClassesOffset + index * SizeClass.sizeBytes) / 4 + SizeClass.lock] = 0;
    }
  }

  /** A slab whose header is damaged holds no block that could be told: all of it will be free. */
  #beginSlab(unit: number, length: number): void {
    const words = this.#words;
    const header = this.#runs.wordOf(unit);
    const sizeClass = words[header + SlabHeader.sizeClass];
    if (sizeClass < 0 || sizeClass >= SIZE_CLASSES || length !== slabUnitsOf[sizeClass]) return this.#runs.drop(unit);
    const table = this.#geometry.unitTableOffset / 4 + unit;
    for (let back = 1; back < length; back++) words[table + back] = back;
    this.#noteHead(unit, length, sizeClass);
  }

  #noteHead(unit: number, length: number, sizeClass: number): void {
    this.#headOf.fill(unit, unit, unit + length);
    this.#classOf[unit] = sizeClass;
  }

  /** Finds the block that starts at `granule`, whatever that is. @returns its bytes, 0: none of that kind does */
  locate(granule: number, isBucket: boolean): number {
    const offset = granule - this.#heapGranule;
    if (!(offset >= 0 && offset < this.#headOf.length * UNIT_GRANULES)) return 0;
    const unit = Math.floor(offset / UNIT_GRANULES);
    const head = this.#headOf[unit];
    if (head === NONE) return 0;
    const sizeClass = this.#classOf[head];
    this.#head = head;
    this.#offset = offset;
    const bytes = (offset - head * UNIT_GRANULES) * GRANULE_BYTES;
    if (sizeClass === LARGE) return bytes === 0 && !isBucket ? this.#runs.lengthOf(head) * UNIT_BYTES : 0;
    if ((sizeClass === BUCKET_CLASS) !== isBucket) return 0;
    const blockBytes = blockBytesOf[sizeClass];
    const fromFirst = bytes - firstBlockOf[sizeClass];
    const block = (fromFirst / blockBytes) | 0;
    const isBlock = fromFirst >= 0 && block * blockBytes === fromFirst && block < slabBlocksOf[sizeClass];
    return isBlock ? blockBytes : 0;
  }

  /** Puts the block that locate() has found in use. @returns false: it is already */
  take(): boolean {
    const at = this.#offset >> 5;
    const bit = 1 << (this.#offset & 31);
    if ((this.#isUsed[at] & bit) !== 0) return false;
    this.#isUsed[at] |= bit;
    this.#hasUsed[this.#head] = 1;
    return true;
  }

  /** Puts a large block in use that a client has pinned, and in limbo (limbo.ts), unless the map names it. */
  takePinned(granule: number): void {
    if (this.locate(granule, false) === 0 || this.#classOf[this.#head] !== LARGE || !this.take()) return;
    const control = this.#geometry.heapControlOffset / 4;
    this.#words[linkOf(granule)] = this.#words[control + HeapControl.limbo];
    this.#words[control + HeapControl.limbo] = granule;
    this.#words[control + HeapControl.limboBlocks]++;
  }

  /** Frees all that is not in use, and sets every hint right. */
  end(): void {
    for (let unit = 0; unit < this.#runs.units; unit += this.#runs.lengthOf(unit)) {
      if (this.#runs.kindOf(unit) === RunKind.free) continue;
      if (this.#hasUsed[unit] === 0) this.#runs.drop(unit);
      else if (this.#classOf[unit] !== LARGE) this.#writeBitmap(unit, this.#classOf[unit]);
    }
    this.#runs.rebuild();
    for (let index = 0; index < SIZE_CLASSES; index++) this.#slabs.rebuild(index, true);
  }

  #writeBitmap(slab: number, sizeClass: number): void {
    const words = this.#words;
    const bitmap = this.#runs.wordOf(slab) + HEADER_WORDS;
    clearBitmap(words, bitmap, sizeClass);
    const step = blockBytesOf[sizeClass] / GRANULE_BYTES;
    let offset = slab * UNIT_GRANULES + firstBlockOf[sizeClass] / GRANULE_BYTES;
    for (let block = 0; block < slabBlocksOf[sizeClass]; block++, offset += step) {
      if ((this.#isUsed[offset >> 5] & (1 << (offset & 31))) !== 0) words[bitmap + (block >> 5)] |= 1 << (block & 31);
    }
  }
}
