/**
 * Allocator of runs: stretches of 1 KiB units, each a slab, one large block, or free. All of it under one lock.
 * Truth: the unit table. A run's first word is its head `kind | units`; heads follow one another without a gap. Its last
 * word leads back to the head, and so do all inner words of a slab. Words that say `slab` or `large` are true heads;
 * other words inside a run may be stale. Each change is one store of a head, so a death leaves a walk that covers all.
 * Hints, rebuilt from heads: the lists of free runs (free-runs.ts), counts, words that lead back.
 * Window: runs that the compactor empties. They are in no list and keep their bounds until it closes.
 */
import { GRANULE_BYTES, type Geometry, HeapControl, UNIT_BYTES } from '../memory/layout.js';
import { lock, unlock } from '../memory/lock.js';
import type { SegmentViews } from '../memory/segment.js';
import { store } from '../memory/words.js';
import { FreeRuns } from './free-runs.js';

/** What a word of the unit table says. `inner`: its value is the distance back to the head. */
export const RunKind = { inner: 0, free: 1, slab: 2, large: 3 } as const;
export type RunKind = (typeof RunKind)[keyof typeof RunKind];

const KIND_SHIFT = 28;
const VALUE_MASK = (1 << KIND_SHIFT) - 1;
const UNIT_GRANULES = UNIT_BYTES / GRANULE_BYTES;
const UNIT_GRANULES_SHIFT = Math.log2(UNIT_GRANULES);

export class Runs {
  readonly units: number;
  readonly #words: Int32Array;
  readonly #worker: number;
  readonly #table: number;
  readonly #control: number;
  readonly #free: FreeRuns;
  readonly #heapGranule: number;
  /** First unit of the emptied window that the next take() is for, -1: none. */
  #claimed = -1;

  constructor(data: SegmentViews, geometry: Geometry, worker: number) {
    this.units = geometry.heapUnits;
    this.#words = data.words;
    this.#worker = worker;
    this.#table = geometry.unitTableOffset / 4;
    this.#control = geometry.heapControlOffset / 4;
    this.#free = new FreeRuns(data, geometry);
    this.#heapGranule = geometry.heapOffset / GRANULE_BYTES;
  }

  /** Makes all units one free run. Nobody else may use the segment yet. */
  format(): void {
    const control = this.#control;
    this.#words.fill(0, control, control + HeapControl.sizeBytes / 4);
    this.#words.fill(0, this.#table, this.#table + this.units);
    store(this.#words, this.#table, headWord(RunKind.free, this.units));
    this.rebuild();
  }

  lock(): void {
    lock(this.#words, this.#control + HeapControl.runLock, this.#worker);
  }

  unlock(): void {
    unlock(this.#words, this.#control + HeapControl.runLock);
  }

  granuleOf(unit: number): number {
    return this.#heapGranule + unit * UNIT_GRANULES;
  }

  /** @returns the unit that contains the granule, -1: it is none of the heap's */
  unitOf(granule: number): number {
    const unit = (granule - this.#heapGranule) >> UNIT_GRANULES_SHIFT;
    return granule === (granule | 0) && unit >= 0 && unit < this.units ? unit : -1;
  }

  /** Index of the first word of the unit's memory. */
  wordOf(unit: number): number {
    return this.granuleOf(unit) * (GRANULE_BYTES / 4);
  }

  kindOf(unit: number): RunKind {
    return kindOf(this.#words[this.#table + unit]);
  }

  /** Length of the run that `unit` is the head of. */
  lengthOf(unit: number): number {
    return this.#words[this.#table + unit] & VALUE_MASK;
  }

  /** @returns the first unit of the slab that contains `unit`, -1: it is in none. Needs no lock; any unit will do. */
  slabAt(unit: number): number {
    const word = this.#words[this.#table + unit];
    if (kindOf(word) === RunKind.slab) return unit;
    const first = unit - (word & VALUE_MASK);
    if (kindOf(word) !== RunKind.inner || first < 0) return -1;
    // A word left over from an earlier run may lead to a head that does not reach this far.
    const head = this.#words[this.#table + first];
    return kindOf(head) === RunKind.slab && unit - first < (head & VALUE_MASK) ? first : -1;
  }

  /**
   * Cuts a run out of the free ones. It stays free in the unit table, and the lock must stay held, until commit():
   * whoever dies in between has taken nothing. Lock held.
   * @returns the first unit, -1: no free run is that long
   */
  take(units: number): number {
    const isClaimed = this.#claimed >= 0;
    const run = isClaimed ? this.#leaveWindow() : this.#free.find(units);
    if (run < 0) return -1;
    const length = this.lengthOf(run);
    if (!isClaimed) this.#free.remove(run, length);
    if (length > units) this.#joinNext(run + units, length - units);
    return run;
  }

  /** Makes what take() returned a used run. Lock held. */
  commit(unit: number, units: number, kind: typeof RunKind.slab | typeof RunKind.large): void {
    const head = this.#table + unit;
    if (kind === RunKind.slab) for (let back = 1; back < units; back++) this.#words[head + back] = back;
    else this.#markEnd(unit, units);
    // SYNC: the run is in use from this store on; all that it needs was written before.
    store(this.#words, head, headWord(kind, units));
    this.#words[this.#control + HeapControl.freeUnits] -= units;
    if (kind === RunKind.large) this.#words[this.#control + HeapControl.largeRuns]++;
  }

  /** Frees the used run that starts at `unit`. Lock held. */
  free(unit: number): void {
    const units = this.lengthOf(unit);
    if (this.kindOf(unit) === RunKind.large) this.#words[this.#control + HeapControl.largeRuns]--;
    store(this.#words, this.#table + unit, headWord(RunKind.free, units));
    this.#words[this.#control + HeapControl.freeUnits] += units;
    this.#words[this.#control + HeapControl.freedSince] += units;
    if (unit < this.windowFirst || unit >= this.windowEnd) this.#join(unit, units);
  }

  /** Frees the used run that starts at `unit`, until rebuild() in no list. Nobody else may be at work. */
  drop(unit: number): void {
    store(this.#words, this.#table + unit, headWord(RunKind.free, this.lengthOf(unit)));
  }

  get windowFirst(): number {
    return this.#words[this.#control + HeapControl.windowFirst];
  }

  /** 0: there is no window. */
  get windowEnd(): number {
    return this.#words[this.#control + HeapControl.windowEnd];
  }

  get freeUnits(): number {
    return this.#words[this.#control + HeapControl.freeUnits];
  }

  /** Takes the runs in [first, end), both of them bounds of runs, out of use for everyone. Lock held. */
  openWindow(first: number, end: number): void {
    this.#words[this.#control + HeapControl.windowFirst] = first;
    this.#words[this.#control + HeapControl.windowEnd] = end;
    for (let unit = first; unit < end; unit += this.lengthOf(unit)) {
      if (this.kindOf(unit) === RunKind.free) this.#free.remove(unit, this.lengthOf(unit));
    }
  }

  /** Sets the window aside as one run for this thread's next take(). Lock held. @returns false if it is not all free */
  claimWindow(): boolean {
    const first = this.windowFirst;
    const end = this.windowEnd;
    for (let unit = first; unit < end; unit += this.lengthOf(unit)) {
      if (this.kindOf(unit) !== RunKind.free) return false;
    }
    store(this.#words, this.#table + first, headWord(RunKind.free, end - first));
    this.#claimed = first;
    return true;
  }

  /** Gives the free runs of the window, if there is one, back to everyone. Lock held. */
  closeWindow(): void {
    const end = this.windowEnd;
    if (end === 0) return;
    let unit = this.#leaveWindow();
    while (unit < end) {
      let length = this.lengthOf(unit);
      if (this.kindOf(unit) === RunKind.free) {
        while (unit + length < end && this.kindOf(unit + length) === RunKind.free)
          length += this.lengthOf(unit + length);
        this.#join(unit, length);
      }
      unit += length;
    }
  }

  /** Makes the window an ordinary stretch whose free runs are in no list. @returns its first unit */
  #leaveWindow(): number {
    const first = this.windowFirst;
    this.#claimed = -1;
    this.#words[this.#control + HeapControl.windowEnd] = 0;
    this.#words[this.#control + HeapControl.windowFirst] = 0;
    return first;
  }

  /** Sets all hints right from the heads. Lock held (or its holder is dead). */
  rebuild(): void {
    this.#free.clear();
    let free = 0;
    let large = 0;
    for (let unit = 0, length = 0; unit < this.units; unit += length) {
      const kind = this.kindOf(unit);
      length = this.lengthOf(unit);
      if (kind === RunKind.large) large++;
      if (kind !== RunKind.free) {
        this.#markEnd(unit, length);
        continue;
      }
      if (unit < this.windowFirst || unit >= this.windowEnd) {
        while (this.#isFreeNeighbour(unit + length)) length += this.lengthOf(unit + length);
        this.#free.add(unit, length);
      }
      this.#setFree(unit, length);
      free += length;
    }
    this.#words[this.#control + HeapControl.freeUnits] = free;
    this.#words[this.#control + HeapControl.largeRuns] = large;
  }

  /** An upper bound of the longest run that take() would find; exact to the list with the lock held. */
  longestFree(): number {
    return this.#free.longest();
  }

  /** Whether a free run starts at `unit` that the run before it may swallow. */
  #isFreeNeighbour(unit: number): boolean {
    const isAtWindow = unit === this.windowFirst && this.windowEnd !== 0;
    return unit < this.units && !isAtWindow && this.kindOf(unit) === RunKind.free;
  }

  /** Unites a free run in no list with its free neighbours, and lists the whole. */
  #join(unit: number, units: number): void {
    if (unit > 0 && unit !== this.windowEnd) {
      const word = this.#words[this.#table + unit - 1];
      const before = kindOf(word) === RunKind.inner ? unit - 1 - word : unit - 1;
      if (this.kindOf(before) === RunKind.free) {
        this.#free.remove(before, unit - before);
        return this.#joinNext(before, unit - before + units);
      }
    }
    this.#joinNext(unit, units);
  }

  #joinNext(unit: number, units: number): void {
    const next = unit + units;
    if (this.#isFreeNeighbour(next)) {
      const length = this.lengthOf(next);
      this.#free.remove(next, length);
      units += length;
    }
    this.#setFree(unit, units);
    this.#free.add(unit, units);
  }

  #setFree(unit: number, units: number): void {
    store(this.#words, this.#table + unit, headWord(RunKind.free, units));
    this.#markEnd(unit, units);
  }

  #markEnd(unit: number, units: number): void {
    if (units > 1) this.#words[this.#table + unit + units - 1] = units - 1;
  }
}

const headWord = (kind: RunKind, units: number): number => (kind << KIND_SHIFT) | units;

const kindOf = (word: number): RunKind => (word >>> KIND_SHIFT) as RunKind;
