/**
 * Lists of the free runs by length: eight lists per power of two of units, and a bit per list that has a run, so that
 * finding, adding and removing take a few steps however many runs there are. The links stand in the free memory itself.
 * Guarded by the run lock. All of it is a hint, rebuilt from the unit table (Runs.rebuild).
 */
import { GRANULE_BYTES, type Geometry, HeapControl, RUN_BINS, UNIT_BYTES } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';

/** In the first words of a free run: the neighbours in its list, first unit + 1, 0: none. The length stands beside. */
const NEXT = 0;
const PREVIOUS = 1;
const LENGTH = 2;

/** Lists below this one hold one length each; from here up, an eighth of a power of two. */
const FIRST_SHARED_BIN = 8;
/** Runs of a shared list that are looked at before a list of longer runs is taken. */
const PROBES = 16;

export class FreeRuns {
  readonly #words: Int32Array;
  readonly #binMap: number;
  readonly #bins: number;
  readonly #heap: number;

  constructor(data: SegmentViews, geometry: Geometry) {
    this.#words = data.words;
    this.#binMap = geometry.heapControlOffset / 4 + HeapControl.binMap;
    this.#bins = geometry.heapControlOffset / 4 + HeapControl.bins;
    this.#heap = (geometry.heapOffset / GRANULE_BYTES) * (GRANULE_BYTES / 4);
  }

  clear(): void {
    this.#words.fill(0, this.#binMap, this.#binMap + RUN_BINS / 32);
    this.#words.fill(0, this.#bins, this.#bins + RUN_BINS);
  }

  /** @returns the first unit of a run of at least `units`, among the shortest that do; -1: there is none */
  find(units: number): number {
    const words = this.#words;
    const bin = binOf(units);
    let run = words[this.#bins + bin];
    for (let probe = 0; run !== 0 && this.#lengthOf(run) < units; probe++) {
      run = probe < PROBES ? words[this.#linkOf(run) + NEXT] : 0;
    }
    return (run !== 0 ? run : this.#firstAbove(bin)) - 1;
  }

  /** An upper bound of the longest run; 0: there is none. */
  longest(): number {
    for (let index = RUN_BINS / 32 - 1; index >= 0; index--) {
      const map = this.#words[this.#binMap + index];
      if (map !== 0) return startOfBin(index * 32 + 32 - Math.clz32(map)) - 1;
    }
    return 0;
  }

  add(unit: number, units: number): void {
    const words = this.#words;
    const bin = binOf(units);
    const link = this.#linkOf(unit + 1);
    const first = words[this.#bins + bin];
    words[link + NEXT] = first;
    words[link + PREVIOUS] = 0;
    words[link + LENGTH] = units;
    if (first !== 0) words[this.#linkOf(first) + PREVIOUS] = unit + 1;
    words[this.#bins + bin] = unit + 1;
    words[this.#binMap + (bin >> 5)] |= 1 << (bin & 31);
  }

  remove(unit: number, units: number): void {
    const words = this.#words;
    const bin = binOf(units);
    const link = this.#linkOf(unit + 1);
    const next = words[link + NEXT];
    const previous = words[link + PREVIOUS];
    if (next !== 0) words[this.#linkOf(next) + PREVIOUS] = previous;
    if (previous !== 0) words[this.#linkOf(previous) + NEXT] = next;
    else words[this.#bins + bin] = next;
    if (words[this.#bins + bin] === 0) words[this.#binMap + (bin >> 5)] &= ~(1 << (bin & 31));
  }

  /** @returns first unit + 1 of a run in the first list after `bin` that has one, 0: none */
  #firstAbove(bin: number): number {
    // The bits above the bin's; shifted in two steps because `<< 32` is `<< 0`.
    let mask = (-1 << (bin & 31)) << 1;
    for (let index = bin >> 5; index < RUN_BINS / 32; index++, mask = -1) {
      const map = this.#words[this.#binMap + index] & mask;
      if (map !== 0) return this.#words[this.#bins + index * 32 + 31 - Math.clz32(map & -map)];
    }
    return 0;
  }

  #lengthOf(run: number): number {
    return this.#words[this.#linkOf(run) + LENGTH];
  }

  /** Index of the first word of the memory of the run whose first unit + 1 is `run`. */
  #linkOf(run: number): number {
    return this.#heap + (run - 1) * (UNIT_BYTES / 4);
  }
}

/** The list of the free runs of `units`. */
export function binOf(units: number): number {
  if (units < FIRST_SHARED_BIN) return units;
  const shift = 28 - Math.clz32(units);
  return FIRST_SHARED_BIN * shift + (units >> shift);
}

/** The shortest length in list `bin`. */
function startOfBin(bin: number): number {
  if (bin < 2 * FIRST_SHARED_BIN) return bin;
  return (FIRST_SHARED_BIN + (bin & 7)) << ((bin >> 3) - 1);
}
