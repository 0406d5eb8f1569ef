/** Every block of the heap: in use by exactly one, or free; and where all its bytes are. */
import { Entry, HeapControl, SlabHeader, UNIT_BYTES } from '../memory/layout.js';
import { holderOf } from '../memory/lock.js';
import { load } from '../memory/words.js';
import { linkOf } from '../store/limbo.js';
import { RunKind } from '../store/runs.js';
import { BUCKET_CLASS, bitmapWordsOf, blockBytesOf, firstBlockOf, slabBlocksOf } from '../store/size-class.js';
import type { HeapMap, Run } from './heap-map.js';
import { hex, type Look } from './look.js';
import type { Names } from './names.js';
import type { Workers } from './workers.js';

const HEADER_WORDS = SlabHeader.sizeBytes / 4;

/** Bytes; together with those of entries, overflow buckets and workers' blocks they are the whole heap. */
export interface BlockTotals {
  freeRunBytes: number;
  freeBlockBytes: number;
  /** Headers of slabs, and what their blocks leave over. */
  slabHeaderBytes: number;
  limboBlocks: number;
  limboBytes: number;
  leakedBytes: number;
  /** In slabs and runs that are damaged. */
  unknownBytes: number;
}

export class BlockAudit {
  readonly totals: BlockTotals = {
    freeRunBytes: 0,
    freeBlockBytes: 0,
    slabHeaderBytes: 0,
    limboBlocks: 0,
    limboBytes: 0,
    leakedBytes: 0,
    unknownBytes: 0,
  };
  readonly #look: Look;
  readonly #heap: HeapMap;
  readonly #names: Names;
  readonly #workers: Workers;
  readonly #words: Int32Array;

  constructor(look: Look, heap: HeapMap, names: Names, workers: Workers) {
    this.#look = look;
    this.#heap = heap;
    this.#names = names;
    this.#workers = workers;
    this.#words = look.data.words;
  }

  run(): void {
    this.#auditLimbo();
    this.totals.unknownBytes = this.#heap.lostUnits * UNIT_BYTES;
    for (const run of this.#heap.runs) {
      if (run.kind === RunKind.free) this.totals.freeRunBytes += run.units * UNIT_BYTES;
      else if (run.kind === RunKind.large)
        this.#auditBlock(this.#heap.blocks.runs.granuleOf(run.unit), run.units * UNIT_BYTES);
      else if (run.sizeClass < 0) this.totals.unknownBytes += run.units * UNIT_BYTES;
      else this.#auditSlab(run);
    }
  }

  /** Blocks that were freed while they were pinned. The list is as long as there are large blocks, at most. */
  #auditLimbo(): void {
    const control = this.#look.geometry.heapControlOffset / 4;
    const max = this.#heap.runs.length;
    const wrong = this.#look.always(() => {
      const seen = new Set<number>();
      let granule = load(this.#words, control + HeapControl.limbo);
      for (; granule !== 0; granule = load(this.#words, linkOf(granule))) {
        if (!this.#heap.isLargeBlock(granule)) return `granule ${granule} is no large block`;
        if (seen.has(granule) || seen.size > max) return `granule ${granule} comes twice`;
        seen.add(granule);
      }
      return undefined;
    });
    if (wrong !== undefined) this.#look.suspects.add('limbo-list', 'limbo', wrong);
    this.#nameLimbo(load(this.#words, control + HeapControl.limbo), max);
    const isLocked = load(this.#words, control + HeapControl.runLock) !== 0;
    const said = load(this.#words, control + HeapControl.limboBlocks);
    if (wrong === undefined && !isLocked && said !== this.totals.limboBlocks) {
      this.#look.suspects.add('limbo-count', 'limbo', `says ${said}, there are ${this.totals.limboBlocks}`);
    }
  }

  #nameLimbo(first: number, max: number): void {
    const control = this.#look.geometry.heapControlOffset / 4;
    const seen = new Set<number>();
    let granule = first;
    for (
      ;
      granule !== 0 && this.#heap.isLargeBlock(granule) && !seen.has(granule);
      granule = this.#words[linkOf(granule)]
    ) {
      seen.add(granule);
      if (seen.size > max) return;
      this.totals.limboBlocks++;
      const isNamed = !this.#names.add(granule);
      if (!isNamed) this.totals.limboBytes += this.#heap.blockBytes(granule);
      // Under the lock of the runs a block goes from a worker's note into the list, and out of it.
      const isMoving = holderOf(this.#words, control + HeapControl.runLock) >= 0 && this.#workers.isHeld(granule);
      if (isNamed && !isMoving) this.#look.suspects.add('block-shared', 'limbo', `granule ${granule}`);
    }
  }

  #auditSlab({ unit, units, sizeClass }: Run): void {
    const { runs } = this.#heap.blocks;
    const bitmap = runs.wordOf(unit) + HEADER_WORDS;
    const blocks = slabBlocksOf[sizeClass];
    const bytes = blockBytesOf[sizeClass];
    const first = runs.granuleOf(unit) + firstBlockOf[sizeClass] / 16;
    let used = 0;
    for (let block = 0; block < blocks; block++) {
      if ((load(this.#words, bitmap + (block >> 5)) & (1 << (block & 31))) === 0) continue;
      used++;
      this.#auditBlock(first + (block * bytes) / 16, bytes);
    }
    this.totals.freeBlockBytes += (blocks - used) * bytes;
    this.totals.slabHeaderBytes += units * UNIT_BYTES - blocks * bytes;
    const last = bitmapWordsOf(sizeClass) - 1;
    const beyond = (blocks & 31) === 0 ? 0 : -1 << (blocks & 31);
    if ((this.#words[bitmap + last] & beyond) !== beyond) {
      const detail = `last word ${hex(this.#words[bitmap + last] & beyond)}, class ${sizeClass}`;
      this.#look.suspects.add('slab-bitmap', `slab at unit ${unit}`, detail);
    }
  }

  #auditBlock(granule: number, bytes: number): void {
    if (this.#names.has(granule)) return;
    this.totals.leakedBytes += bytes;
    const { suspects } = this.#look;
    if (suspects.isFull) return;
    const publication = this.#publicationOf(granule);
    const isNobodys = (): boolean =>
      this.#heap.isUsed(granule) &&
      !this.#workers.isHeld(granule) &&
      this.#heap.isUsed(granule) &&
      this.#publicationOf(granule) === publication;
    if (this.#look.always(() => (isNobodys() ? '' : undefined)) === undefined) return;
    const isBucket = this.#heap.sizeClassAt(granule) === BUCKET_CLASS;
    if (isBucket) suspects.add('bucket-leaked', `granule ${granule}`, `${bytes} bytes`);
    else suspects.add('block-leaked', `granule ${granule}`, `${bytes} bytes, ${publication}`);
  }

  /** What changes whenever a block is published, or taken out of the map. */
  #publicationOf(granule: number): string {
    const { words, floats } = this.#look.data;
    const version = floats[granule * 2 + Entry.version];
    return `version ${version}, incarnation ${words[(granule << 2) + Entry.incarnation]}`;
  }
}
