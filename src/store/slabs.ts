/**
 * Allocator of small blocks: slabs of equal blocks, one list per size class of its slabs with a free block, each class
 * under its own lock. Entries and overflow buckets never share a slab.
 * Truth: the slab's head in the unit table, its class (written before that head) and its bitmap: one bit per used block.
 * Hints, rebuilt from those (rebuild): counts, list links, where to look in the bitmap, the kept empty slab.
 * A block's granule stands in a word of the worker's record (its note) before its bit is set, and until its bit is
 * clear again: a death leaves the block free, or used and noted.
 */
import { GRANULE_BYTES, type Geometry, SizeClass, SlabHeader, workerBase } from '../memory/layout.js';
import { lock, unlock } from '../memory/lock.js';
import type { SegmentViews } from '../memory/segment.js';
import { store } from '../memory/words.js';
import { BLOCK_NOTES } from './block-notes.js';
import { RunKind, type Runs } from './runs.js';
import { blockBytesOf, clearBitmap, firstBlockOf, SIZE_CLASSES, slabBlocksOf, slabUnitsOf } from './size-class.js';

const CLASS_WORDS = SizeClass.sizeBytes / 4;
const HEADER_WORDS = SlabHeader.sizeBytes / 4;

export class Slabs {
  readonly #words: Int32Array;
  readonly #runs: Runs;
  readonly #worker: number;
  readonly #classes: number;
  readonly #record: number;

  constructor(data: SegmentViews, geometry: Geometry, worker: number, runs: Runs) {
    this.#words = data.words;
    this.#runs = runs;
    this.#worker = worker;
    this.#classes = geometry.sizeClassesOffset / 4;
    this.#record = workerBase(geometry, worker);
  }

  /** Makes all classes empty. Nobody else may use the segment yet. */
  format(): void {
    this.#words.fill(0, this.#classes, this.#classes + SIZE_CLASSES * CLASS_WORDS);
  }

  /** @returns the granule of a block of the class, named by the record's word `note`; 0: no room */
  allocate(sizeClass: number, note: number): number {
    const line = this.#lineOf(sizeClass);
    lock(this.#words, line + SizeClass.lock, this.#worker);
    try {
      let slab = this.#words[line + SizeClass.partial] - 1;
      if (slab < 0) slab = this.#addSlab(sizeClass, line);
      return slab < 0 ? 0 : this.#takeBlock(slab, sizeClass, line, this.#record + note);
    } finally {
      unlock(this.#words, line + SizeClass.lock);
    }
  }

  /** Frees the block at `granule`, which lies in `slab`. @returns false, and changes nothing, if it is not in use */
  free(slab: number, granule: number): boolean {
    const header = this.#runs.wordOf(slab);
    const sizeClass = this.classOf(slab);
    if (sizeClass < 0) return false;
    const line = this.#lineOf(sizeClass);
    lock(this.#words, line + SizeClass.lock, this.#worker);
    try {
      // The slab may have gone to another class before the lock was ours.
      const block = this.classOf(slab) === sizeClass ? this.#blockAt(slab, sizeClass, granule) : -1;
      if (block < 0 || !this.#isSet(header, block)) return false;
      this.#returnBlock(slab, header, block, line);
      this.forget(granule);
      this.#settle(slab, sizeClass, header, line);
      return true;
    } finally {
      unlock(this.#words, line + SizeClass.lock);
    }
  }

  /** Whether `granule`, which lies in `slab`, is the start of a used block. */
  isUsed(slab: number, granule: number): boolean {
    const sizeClass = this.classOf(slab);
    const block = sizeClass < 0 ? -1 : this.#blockAt(slab, sizeClass, granule);
    return block >= 0 && this.#isSet(this.#runs.wordOf(slab), block);
  }

  /** @returns the class of the slab, -1: no slab starts at `slab` */
  classOf(slab: number): number {
    if (this.#runs.kindOf(slab) !== RunKind.slab) return -1;
    const sizeClass = this.#words[this.#runs.wordOf(slab) + SlabHeader.sizeClass];
    return sizeClass >= 0 && sizeClass < SIZE_CLASSES ? sizeClass : -1;
  }

  /** Blocks in use in the slab (exact only under its class's lock). */
  usedBlocksOf(slab: number): number {
    return this.#words[this.#runs.wordOf(slab) + SlabHeader.usedBlocks];
  }

  slabsOf(sizeClass: number): number {
    return this.#words[this.#lineOf(sizeClass) + SizeClass.slabs];
  }

  freeBlocksOf(sizeClass: number): number {
    return this.#words[this.#lineOf(sizeClass) + SizeClass.freeBlocks];
  }

  /** @returns the granule of the first used block at or after block `from` of the slab, 0: none */
  nextUsed(slab: number, from: number): number {
    const sizeClass = this.classOf(slab);
    const blocks = sizeClass < 0 ? 0 : slabBlocksOf[sizeClass];
    const bitmap = this.#runs.wordOf(slab) + HEADER_WORDS;
    for (let block = from; block < blocks; block = (block | 31) + 1) {
      const bits = this.#words[bitmap + (block >> 5)] >> (block & 31);
      if (bits === 0) continue;
      const found = block + 31 - Math.clz32(bits & -bits);
      return found < blocks ? this.#granuleOf(slab, sizeClass, found) : 0;
    }
    return 0;
  }

  /** Index of the block at `granule` in the slab. */
  indexOf(slab: number, granule: number): number {
    return this.#blockAt(slab, this.classOf(slab), granule);
  }

  /** Ends allocation in the slab until attach(); it is freed with its last block. An empty one is freed at once. */
  detach(slab: number): void {
    const sizeClass = this.classOf(slab);
    if (sizeClass < 0) return;
    const line = this.#lineOf(sizeClass);
    lock(this.#words, line + SizeClass.lock, this.#worker);
    try {
      const header = this.#runs.wordOf(slab);
      if (this.classOf(slab) !== sizeClass || this.#words[header + SlabHeader.isEvacuating] !== 0) return;
      if (this.#words[header + SlabHeader.usedBlocks] < slabBlocksOf[sizeClass]) this.#unlink(header, line);
      this.#words[header + SlabHeader.isEvacuating] = 1;
      this.#settle(slab, sizeClass, header, line);
    } finally {
      unlock(this.#words, line + SizeClass.lock);
    }
  }

  /** Undoes detach() if the slab is still there. */
  attach(slab: number): void {
    const sizeClass = this.classOf(slab);
    if (sizeClass < 0) return;
    const line = this.#lineOf(sizeClass);
    lock(this.#words, line + SizeClass.lock, this.#worker);
    try {
      const header = this.#runs.wordOf(slab);
      if (this.classOf(slab) !== sizeClass || this.#words[header + SlabHeader.isEvacuating] === 0) return;
      this.#words[header + SlabHeader.isEvacuating] = 0;
      if (this.#words[header + SlabHeader.usedBlocks] < slabBlocksOf[sizeClass]) this.#link(slab, header, line);
    } finally {
      unlock(this.#words, line + SizeClass.lock);
    }
  }

  /** Sets all hints of the class right from its slabs. Its lock is held by a dead worker, or nobody else is at work. */
  rebuild(sizeClass: number, isCompactorDead: boolean): void {
    const line = this.#lineOf(sizeClass);
    const words = this.#words;
    words.fill(0, line + SizeClass.partial, line + SizeClass.freeBlocks + 1);
    this.#runs.lock();
    try {
      for (let unit = 0; unit < this.#runs.units; unit += this.#runs.lengthOf(unit)) {
        if (this.classOf(unit) !== sizeClass) continue;
        if (isCompactorDead) words[this.#runs.wordOf(unit) + SlabHeader.isEvacuating] = 0;
        this.#recount(unit, sizeClass, line);
      }
    } finally {
      this.#runs.unlock();
    }
  }

  #recount(slab: number, sizeClass: number, line: number): void {
    const words = this.#words;
    const header = this.#runs.wordOf(slab);
    const blocks = slabBlocksOf[sizeClass];
    let used = 0;
    for (let block = 0; block < blocks; block++) if (this.#isSet(header, block)) used++;
    words[header + SlabHeader.usedBlocks] = used;
    words[header + SlabHeader.hint] = 0;
    words[line + SizeClass.slabs]++;
    words[line + SizeClass.freeBlocks] += blocks - used;
    if (words[header + SlabHeader.isEvacuating] !== 0) return;
    if (used < blocks) this.#link(slab, header, line);
    if (used === 0) words[line + SizeClass.empty] = slab + 1;
  }

  #takeBlock(slab: number, sizeClass: number, line: number, note: number): number {
    const words = this.#words;
    const header = this.#runs.wordOf(slab);
    let word = words[header + SlabHeader.hint];
    while (words[header + HEADER_WORDS + word] === -1) word++;
    const free = ~words[header + HEADER_WORDS + word];
    const bit = free & -free;
    const granule = this.#granuleOf(slab, sizeClass, word * 32 + 31 - Math.clz32(bit));
    store(words, note, granule);
    // SYNC: the block is in use from this store on, and already noted.
    store(words, header + HEADER_WORDS + word, ~free | bit);
    words[header + SlabHeader.hint] = word;
    words[line + SizeClass.freeBlocks]--;
    const used = ++words[header + SlabHeader.usedBlocks];
    if (used === 1 && words[line + SizeClass.empty] === slab + 1) words[line + SizeClass.empty] = 0;
    if (used === slabBlocksOf[sizeClass]) this.#unlink(header, line);
    return granule;
  }

  #returnBlock(slab: number, header: number, block: number, line: number): void {
    const words = this.#words;
    const word = block >> 5;
    const bits = header + HEADER_WORDS + word;
    const wasFull = words[header + SlabHeader.usedBlocks]-- === slabBlocksOf[words[header + SlabHeader.sizeClass]];
    store(words, bits, words[bits] & ~(1 << (block & 31)));
    words[line + SizeClass.freeBlocks]++;
    if (word < words[header + SlabHeader.hint]) words[header + SlabHeader.hint] = word;
    if (wasFull && words[header + SlabHeader.isEvacuating] === 0) this.#link(slab, header, line);
  }

  /** Clears the notes of a block just freed, before the lock that is held lets anyone allocate it again. */
  forget(granule: number): void {
    for (const note of BLOCK_NOTES) {
      if (this.#words[this.#record + note] === granule) store(this.#words, this.#record + note, 0);
    }
  }

  /** Frees the slab if it is empty, unless it is the only empty one of its class. */
  #settle(slab: number, sizeClass: number, header: number, line: number): void {
    const words = this.#words;
    if (words[header + SlabHeader.usedBlocks] !== 0) return;
    const kept = words[line + SizeClass.empty];
    if (words[header + SlabHeader.isEvacuating] !== 0) {
      if (kept === slab + 1) words[line + SizeClass.empty] = 0;
    } else if (kept === 0 || kept === slab + 1) {
      words[line + SizeClass.empty] = slab + 1;
      return;
    } else {
      this.#unlink(header, line);
    }
    words[line + SizeClass.slabs]--;
    words[line + SizeClass.freeBlocks] -= slabBlocksOf[sizeClass];
    this.#runs.lock();
    this.#runs.free(slab);
    this.#runs.unlock();
  }

  /** @returns the first unit of a new slab of the class, -1: no room */
  #addSlab(sizeClass: number, line: number): number {
    const words = this.#words;
    this.#runs.lock();
    try {
      const slab = this.#runs.take(slabUnitsOf[sizeClass]);
      if (slab < 0) return -1;
      const header = this.#runs.wordOf(slab);
      words.fill(0, header, header + HEADER_WORDS);
      words[header + SlabHeader.sizeClass] = sizeClass;
      clearBitmap(words, header + HEADER_WORDS, sizeClass);
      this.#runs.commit(slab, slabUnitsOf[sizeClass], RunKind.slab);
      words[line + SizeClass.slabs]++;
      words[line + SizeClass.freeBlocks] += slabBlocksOf[sizeClass];
      this.#link(slab, header, line);
      return slab;
    } finally {
      this.#runs.unlock();
    }
  }

  #link(slab: number, header: number, line: number): void {
    const words = this.#words;
    const first = words[line + SizeClass.partial];
    words[header + SlabHeader.next] = first;
    words[header + SlabHeader.previous] = 0;
    if (first !== 0) words[this.#runs.wordOf(first - 1) + SlabHeader.previous] = slab + 1;
    words[line + SizeClass.partial] = slab + 1;
  }

  #unlink(header: number, line: number): void {
    const words = this.#words;
    const next = words[header + SlabHeader.next];
    const previous = words[header + SlabHeader.previous];
    if (next !== 0) words[this.#runs.wordOf(next - 1) + SlabHeader.previous] = previous;
    if (previous !== 0) words[this.#runs.wordOf(previous - 1) + SlabHeader.next] = next;
    else words[line + SizeClass.partial] = next;
  }

  #lineOf(sizeClass: number): number {
    return this.#classes + sizeClass * CLASS_WORDS;
  }

  /** @returns the index of the block that starts at `granule`, -1: none does */
  #blockAt(slab: number, sizeClass: number, granule: number): number {
    const bytes = (granule - this.#runs.granuleOf(slab)) * GRANULE_BYTES - firstBlockOf[sizeClass];
    const block = (bytes / blockBytesOf[sizeClass]) | 0;
    return bytes >= 0 && block * blockBytesOf[sizeClass] === bytes && block < slabBlocksOf[sizeClass] ? block : -1;
  }

  #granuleOf(slab: number, sizeClass: number, block: number): number {
    return this.#runs.granuleOf(slab) + (firstBlockOf[sizeClass] + block * blockBytesOf[sizeClass]) / GRANULE_BYTES;
  }

  #isSet(header: number, block: number): boolean {
    return (this.#words[header + HEADER_WORDS + (block >> 5)] & (1 << (block & 31))) !== 0;
  }
}
