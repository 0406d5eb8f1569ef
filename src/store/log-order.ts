/**
 * In which order records went into the lanes (log-lane.ts): a ring of cells, each naming a worker, one for each record.
 * Many workers add, each under the lock of the stripe that it has just changed, so cells have the order of effect per
 * key; one thread reads. The naive circular queue of R. Nikolaev (DISC 2019, "NCQ"), as exchange/task-queue.ts: the cell's
 * compare-and-swap adds it, anyone may advance the tail, a death between two steps blocks nobody.
 * It is never full: there are as many cells as the lanes can hold of the shortest records.
 */
import type { Geometry } from '../memory/layout.js';
import { CELL_COUNT_BITS, CELL_CYCLE_BITS, CELL_WORKER_BITS, LogControl } from '../memory/log-layout.js';
import { cas, load, store } from '../memory/words.js';

const CYCLE_SHIFT = CELL_COUNT_BITS + CELL_WORKER_BITS;
const COUNT_MASK = 2 ** CELL_COUNT_BITS - 1;
const WORKER_MASK = 2 ** CELL_WORKER_BITS - 1;

export const workerOfCell = (cell: number): number => cell & WORKER_MASK;
export const countOfCell = (cell: number): number => (cell >>> CELL_WORKER_BITS) & COUNT_MASK;
/** How far the count of a lane's record is ahead of a cell's: 0, it is the cell's own. */
export const countAhead = (count: number, cell: number): number =>
  ((count - countOfCell(cell)) << (32 - CELL_COUNT_BITS)) >> (32 - CELL_COUNT_BITS);

export class LogOrder {
  readonly #words: Int32Array;
  readonly #tail: number;
  readonly #firstCell: number;
  readonly #cells: number;
  readonly #shift: number;
  readonly #cycleMask: number;

  constructor(words: Int32Array, geometry: Geometry) {
    this.#words = words;
    this.#tail = geometry.logControlOffset / 4 + LogControl.orderTail;
    this.#firstCell = geometry.logOrderOffset / 4;
    this.#cells = geometry.logCells;
    this.#shift = Math.log2(geometry.logCells);
    this.#cycleMask = 2 ** Math.min(CELL_CYCLE_BITS, 32 - this.#shift) - 1;
  }

  /** Adds a cell. SYNC: publishes the record; pairs with read(). @returns its position */
  add(worker: number, count: number): number {
    const words = this.#words;
    for (;;) {
      const tail = load(words, this.#tail);
      const index = this.#firstCell + (tail & (this.#cells - 1));
      const cell = load(words, index);
      const cycle = this.#cycleOf(tail);
      const cellCycle = cell >>> CYCLE_SHIFT;
      if (cellCycle === cycle) {
        // Written already, its tail not yet moved: help.
        cas(words, this.#tail, tail, (tail + 1) | 0);
      } else if (((cellCycle + 1) & this.#cycleMask) === cycle) {
        const next = (cycle << CYCLE_SHIFT) | ((count & COUNT_MASK) << CELL_WORKER_BITS) | worker;
        if (cas(words, index, cell, next)) {
          cas(words, this.#tail, tail, (tail + 1) | 0);
          return tail;
        }
      }
    }
  }

  /** @returns the cell at a position, -1: it is yet to be written */
  read(position: number): number {
    const cell = load(this.#words, this.#firstCell + (position & (this.#cells - 1)));
    // The sign is gone with the cycle: a cell is never negative.
    return cell >>> CYCLE_SHIFT === this.#cycleOf(position) ? cell & (2 ** CYCLE_SHIFT - 1) : -1;
  }

  /** Where the next cell goes. */
  end(): number {
    let end = load(this.#words, this.#tail);
    while (this.read(end) >= 0) end = (end + 1) | 0;
    return end;
  }

  /** Position of the last cell. */
  last(): number {
    return (this.end() - 1) | 0;
  }

  /**
   * Whether the last cell that names the worker, of all that are still there, names its record with this count. Also of
   * those that were read long ago. @returns undefined: none names it
   */
  isLast(worker: number, count: number): boolean | undefined {
    const last = this.last();
    for (let back = 0; back < this.#cells; back++) {
      const cell = this.read((last - back) | 0);
      if (cell >= 0 && workerOfCell(cell) === worker) return countAhead(count, cell) === 0;
    }
    return undefined;
  }

  /** Empties the ring. Nobody else may be at work. @returns the position of the next cell */
  reset(): number {
    const words = this.#words;
    const start = (Math.ceil((load(words, this.#tail) >>> 0) / this.#cells) * this.#cells) | 0;
    const before = (this.#cycleOf(start) - 1) & this.#cycleMask;
    words.fill(before << CYCLE_SHIFT, this.#firstCell, this.#firstCell + this.#cells);
    store(words, this.#tail, start);
    return start;
  }

  #cycleOf(position: number): number {
    return (position >>> this.#shift) & this.#cycleMask;
  }
}
