/**
 * Where the runs of the heap begin, from one walk over the unit table, and what block a granule is. Every head is
 * checked before it is followed. The words may change under the walk: a walk that runs aground is begun again.
 */
import { type Geometry, SlabHeader, UNIT_BYTES } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { Blocks } from '../store/blocks.js';
import { NO_PINS } from '../store/limbo.js';
import { RunKind } from '../store/runs.js';
import { BUCKET_CLASS, blockBytesOf, SIZE_CLASSES, slabUnitsOf } from '../store/size-class.js';
import { hex, type Look } from './look.js';

const WALKS = 64;

export interface Run {
  readonly unit: number;
  readonly units: number;
  readonly kind: RunKind;
  /** Of a slab whose header is sound; -1: of none. */
  readonly sizeClass: number;
}

export class HeapMap {
  readonly runs: readonly Run[];
  /** The store's own view of the heap; only what reads is called. */
  readonly blocks: Blocks;
  /** Units behind the last head that could be followed: nothing is known about them. */
  readonly lostUnits: number;
  /** By unit: the first unit of its slab, -1: it is in none. */
  readonly #slabAt: Int32Array;

  constructor(look: Look) {
    const { data, geometry, suspects } = look;
    this.blocks = new Blocks(data, geometry, 0, NO_PINS);
    this.#slabAt = new Int32Array(geometry.heapUnits).fill(-1);
    let { runs, end } = walkRuns(data, geometry);
    for (let walk = 1; walk < WALKS && end < geometry.heapUnits; walk++) ({ runs, end } = walkRuns(data, geometry));
    this.runs = runs;
    this.lostUnits = geometry.heapUnits - end;
    if (end < geometry.heapUnits) {
      const word = data.words[geometry.unitTableOffset / 4 + end];
      suspects.add('run-head', `unit ${end}`, `says ${hex(word)}, of ${geometry.heapUnits} units`);
    }
    for (const run of runs) this.#noteSlab(run, look);
  }

  /** The runs as they are now; undefined: they changed under the walk. */
  static runsOf({ data, geometry }: Look): readonly Run[] | undefined {
    const { runs, end } = walkRuns(data, geometry);
    return end < geometry.heapUnits ? undefined : runs;
  }

  #noteSlab(run: Run, { data, suspects }: Look): void {
    if (run.kind !== RunKind.slab) return;
    const { unit, units, sizeClass } = run;
    if (sizeClass < 0) {
      const said = data.words[this.blocks.runs.wordOf(unit) + SlabHeader.sizeClass];
      suspects.add('slab-class', `slab at unit ${unit}`, `class ${said}, ${units} units`);
      return;
    }
    this.#slabAt.fill(unit, unit, unit + units);
  }

  /** Whether a large block in use starts at the granule. Any number will do. */
  isLargeBlock(granule: number): boolean {
    const { runs } = this.blocks;
    const unit = runs.unitOf(granule);
    return unit >= 0 && runs.kindOf(unit) === RunKind.large && granule === runs.granuleOf(unit);
  }

  /** Whether a block starts at the granule that is in use. */
  isUsed(granule: number): boolean {
    return this.blocks.isUsed(granule) || this.#isUsedInSlab(granule);
  }

  /** By the heads alone, where the words that lead back to them are wrong. */
  #isUsedInSlab(granule: number): boolean {
    const slab = this.#slabAt[this.blocks.runs.unitOf(granule)] ?? -1;
    return slab >= 0 && this.blocks.slabs.isUsed(slab, granule);
  }

  /** Bytes of the block that starts at the granule, used or free; 0: none does. */
  blockBytes(granule: number): number {
    const unit = this.blocks.runs.unitOf(granule);
    if (unit < 0) return 0;
    if (this.isLargeBlock(granule)) return this.blocks.runs.lengthOf(unit) * UNIT_BYTES;
    const slab = this.#slabOf(unit);
    return slab >= 0 && this.blocks.slabs.indexOf(slab, granule) >= 0
      ? blockBytesOf[this.blocks.slabs.classOf(slab)]
      : 0;
  }

  /** Size class of the slab that the granule lies in; -1: in none. */
  sizeClassAt(granule: number): number {
    const unit = this.blocks.runs.unitOf(granule);
    const slab = unit < 0 ? -1 : this.#slabOf(unit);
    return slab < 0 ? -1 : this.blocks.slabs.classOf(slab);
  }

  isBucketBlock(granule: number): boolean {
    return this.sizeClassAt(granule) === BUCKET_CLASS && this.isUsed(granule);
  }

  #slabOf(unit: number): number {
    const slab = this.blocks.runs.slabAt(unit);
    const found = slab >= 0 ? slab : this.#slabAt[unit];
    return found >= 0 && this.blocks.slabs.classOf(found) >= 0 ? found : -1;
  }
}

/** @returns the runs up to the unit at which the walk ended */
function walkRuns(data: SegmentViews, geometry: Geometry): { readonly runs: Run[]; readonly end: number } {
  const { runs, slabs } = new Blocks(data, geometry, 0, NO_PINS);
  const found: Run[] = [];
  let unit = 0;
  while (unit < geometry.heapUnits) {
    const kind = runs.kindOf(unit);
    const units = runs.lengthOf(unit);
    if (units < 1 || unit + units > geometry.heapUnits || kind < RunKind.free || kind > RunKind.large) break;
    const sizeClass = kind === RunKind.slab ? slabs.classOf(unit) : -1;
    const isSound = sizeClass >= 0 && sizeClass < SIZE_CLASSES && units === slabUnitsOf[sizeClass];
    found.push({ unit, units, kind, sizeClass: isSound ? sizeClass : -1 });
    unit += units;
  }
  return { runs: found, end: unit };
}
