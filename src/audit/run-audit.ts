/**
 * What the run allocator derives from the heads of the unit table: words that lead back, lists, counts. All of it is
 * guarded by the lock of the runs: while that is held, nothing is said about it. Every take of a run changes the count of
 * free units, every return the count of what was freed: while neither changes, the heads do not.
 */
import { HeapControl, RUN_BINS } from '../memory/layout.js';
import { load } from '../memory/words.js';
import { binOf } from '../store/free-runs.js';
import { RunKind } from '../store/runs.js';
import type { FindingCode } from './findings.js';
import { HeapMap, type Run } from './heap-map.js';
import { hex, type Look } from './look.js';

/** Looks at runs that are taken and freed all the time. */
const TRIES = 16;

type Wrong = readonly [FindingCode, string, string];

export class RunAudit {
  readonly #look: Look;
  readonly #heap: HeapMap;
  readonly #words: Int32Array;
  readonly #control: number;

  /** @param heap as of a walk that may be out of date by now */
  constructor(look: Look, heap: HeapMap) {
    this.#look = look;
    this.#heap = heap;
    this.#words = look.data.words;
    this.#control = look.geometry.heapControlOffset / 4;
  }

  run(): void {
    if (this.#heap.lostUnits > 0) return;
    let { runs } = this.#heap;
    for (let tries = 0; tries < TRIES; tries++) {
      const before = this.#state();
      // A holder that stands still may have left anything half done.
      if (load(this.#words, this.#control + HeapControl.runLock) !== 0) continue;
      const wrong = this.#wrongWith(runs);
      if (wrong.length === 0) return;
      const again = HeapMap.runsOf(this.#look);
      const isStill = again !== undefined && isSame(runs, again) && this.#state() === before;
      if (isStill) return this.#report(wrong);
      if (again !== undefined) runs = again;
    }
    const isHeld = load(this.#words, this.#control + HeapControl.runLock) !== 0;
    if (!isHeld) this.#look.unsettled.add('runs');
  }

  #report(wrong: readonly Wrong[]): void {
    for (const [what, where, detail] of wrong) this.#look.suspects.add(what, where, detail);
  }

  #read(field: 'freeUnits' | 'largeRuns' | 'freedSince' | 'windowFirst' | 'windowEnd' | 'compactionLock'): number {
    return load(this.#words, this.#control + HeapControl[field]);
  }

  /** Changes with every run that is taken or freed, and with a window. */
  #state(): string {
    const lock = load(this.#words, this.#control + HeapControl.runLock);
    const counts = [this.#read('freeUnits'), this.#read('largeRuns'), this.#read('freedSince')];
    return [lock, ...counts, this.#read('windowFirst'), this.#read('windowEnd')].join(' ');
  }

  #wrongWith(runs: readonly Run[]): Wrong[] {
    const wrong: Wrong[] = [];
    const hasWindow = this.#read('windowEnd') !== 0;
    const isCompacting = this.#read('compactionLock') !== 0;
    if (hasWindow && !isCompacting) {
      wrong.push(['window-open', 'heap', `units ${this.#read('windowFirst')} to ${this.#read('windowEnd')}`]);
    }
    for (const [index, run] of runs.entries()) {
      const next = runs[index + 1];
      const isPair = run.kind === RunKind.free && next?.kind === RunKind.free;
      if (isPair && !hasWindow && !isCompacting)
        wrong.push(['run-unmerged', `unit ${next.unit}`, `after ${run.units} free`]);
      this.#auditBack(run, wrong);
    }
    this.#auditCounts(runs, wrong);
    this.#auditLists(runs, wrong);
    return wrong;
  }

  /** Its last word leads back to its head, and so do all inner words of a slab. */
  #auditBack({ unit, units, kind, sizeClass }: Run, wrong: Wrong[]): void {
    const table = this.#look.geometry.unitTableOffset / 4;
    for (let back = kind === RunKind.slab && sizeClass >= 0 ? 1 : units - 1; back > 0 && back < units; back++) {
      const word = this.#words[table + unit + back];
      if (word !== back)
        wrong.push(['run-back', `unit ${unit + back}`, `says ${hex(word)}, its head is ${back} before`]);
    }
  }

  #auditCounts(runs: readonly Run[], wrong: Wrong[]): void {
    let [free, large] = [0, 0];
    for (const { kind, units } of runs) {
      if (kind === RunKind.free) free += units;
      else if (kind === RunKind.large) large++;
    }
    const [saidFree, saidLarge] = [this.#read('freeUnits'), this.#read('largeRuns')];
    if (free === saidFree && large === saidLarge) return;
    const detail = `says ${saidFree} free units, ${saidLarge} large blocks; there are ${free} and ${large}`;
    wrong.push(['run-count', 'heap', detail]);
  }

  /** Each free run that is in no window is in the list of its length, once. */
  #auditLists(runs: readonly Run[], wrong: Wrong[]): void {
    const [first, end] = [this.#read('windowFirst'), this.#read('windowEnd')];
    const isOut = ({ unit }: Run): boolean => unit >= first && unit < end;
    const unlisted = new Map<number, number>();
    for (const run of runs) if (run.kind === RunKind.free && !isOut(run)) unlisted.set(run.unit, run.units);
    for (let bin = 0; bin < RUN_BINS; bin++) {
      const broken = this.#wrongBin(bin, unlisted);
      if (broken !== undefined) wrong.push(['run-list', `list ${bin}`, broken]);
    }
    for (const [unit, units] of unlisted)
      wrong.push(['run-list', `unit ${unit}`, `${units} free units are in no list`]);
  }

  /** Takes the runs of a list out of those that are not listed. */
  #wrongBin(bin: number, unlisted: Map<number, number>): string | undefined {
    const words = this.#words;
    const isMapped = (words[this.#control + HeapControl.binMap + (bin >> 5)] & (1 << (bin & 31))) !== 0;
    let run = words[this.#control + HeapControl.bins + bin];
    if (isMapped !== (run !== 0)) return isMapped ? 'is empty, its bit is set' : 'its bit is not set';
    let previous = 0;
    while (run !== 0) {
      const units = unlisted.get(run - 1);
      if (units === undefined) return `leads to unit ${run - 1}`;
      const link = this.#heap.blocks.runs.wordOf(run - 1);
      const isSound = binOf(units) === bin && words[link + 1] === previous && words[link + 2] === units;
      if (!isSound) return `unit ${run - 1} is not linked as it should be`;
      unlisted.delete(run - 1);
      previous = run;
      run = words[link];
    }
    return undefined;
  }
}

function isSame(runs: readonly Run[], others: readonly Run[]): boolean {
  if (runs.length !== others.length) return false;
  return runs.every(({ unit, units, kind }, index) => {
    const other = others[index];
    return other !== undefined && unit === other.unit && units === other.units && kind === other.kind;
  });
}
