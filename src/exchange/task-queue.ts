/**
 * Bounded MPMC ring of slot indices: the naive circular queue of R. Nikolaev, "A Scalable, Portable, and
 * Memory-Efficient Lock-Free FIFO Queue" (DISC 2019, "NCQ"), with a check for full.
 * A cell holds `cycle | slot`: the cell's CAS commits an enqueue, the head's CAS commits a dequeue, and anyone may
 * advance the tail, so a process that dies between any two steps blocks nobody. Positions wrap at 2^32.
 * Entries are hints: what counts is the slot's word, and the sweeper re-enqueues a slot whose hint was lost.
 */
import type { Geometry } from '../memory/layout.js';
import { CtlHeader } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { cas, load, store } from '../memory/words.js';

/** Retries before giving up; only garbage in the ring takes that many. The sweeper then stands in. */
const MAX_TRIES = 10_000;

export class TaskQueue {
  readonly #words: Int32Array;
  readonly #firstCell: number;
  readonly #cells: number;
  readonly #cycleMask: number;
  /** The head when this object last looked at it: it only moves on. From outside set by tests alone. */
  headSeen: number;

  constructor(ctl: SegmentViews, geometry: Geometry) {
    this.#words = ctl.words;
    this.#firstCell = geometry.queueOffset / 4;
    this.#cells = geometry.queueCells;
    this.#cycleMask = ~(geometry.queueCells - 1);
    this.headSeen = load(this.#words, CtlHeader.queueHead);
  }

  /**
   * Empties the ring; its positions go on behind all that there were. What others do to it at the same time may be lost, or
   * leave the ring to be reset again.
   */
  reset(): void {
    const round = load(this.#words, CtlHeader.queueTail) & this.#cycleMask;
    const next = (round + this.#cells) | 0;
    this.#words.fill(round, this.#firstCell, this.#firstCell + this.#cells);
    store(this.#words, CtlHeader.queueTail, next);
    store(this.#words, CtlHeader.queueHead, next);
    this.headSeen = next;
  }

  /** SYNC: publishes the hint; pairs with dequeue(). @returns false when the ring is full or damaged */
  enqueue(slot: number): boolean {
    const words = this.#words;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const tail = load(words, CtlHeader.queueTail);
      const index = this.#cellOf(tail);
      const cell = load(words, index);
      const cycle = tail & this.#cycleMask;
      const cellCycle = cell & this.#cycleMask;
      if (cellCycle === cycle) {
        // Written already, its tail not yet moved: help.
        cas(words, CtlHeader.queueTail, tail, (tail + 1) | 0);
      } else if (((cellCycle + this.#cells) | 0) === cycle) {
        if (this.#isFull(tail)) return false;
        if (cas(words, index, cell, cycle | slot)) {
          cas(words, CtlHeader.queueTail, tail, (tail + 1) | 0);
          return true;
        }
      }
    }
    return false;
  }

  /** Looks at the head once in a round of the ring, and while that is full: its line is written for each task that is taken. */
  #isFull(tail: number): boolean {
    if ((tail - this.headSeen) >>> 0 < this.#cells) return false;
    this.headSeen = load(this.#words, CtlHeader.queueHead);
    return ((tail - this.headSeen) | 0) >= this.#cells;
  }

  /** @returns a slot index (below `cells`, to be checked against the table), -1 when empty or damaged */
  dequeue(): number {
    const words = this.#words;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const head = load(words, CtlHeader.queueHead);
      const cell = load(words, this.#cellOf(head));
      const cycle = head & this.#cycleMask;
      const cellCycle = cell & this.#cycleMask;
      if (cellCycle === cycle) {
        if (cas(words, CtlHeader.queueHead, head, (head + 1) | 0)) return cell & ~this.#cycleMask;
      } else if (((cellCycle + this.#cells) | 0) === cycle) {
        return -1;
      }
    }
    return -1;
  }

  /** Whether a dequeue would find nothing now. */
  isEmpty(): boolean {
    const head = load(this.#words, CtlHeader.queueHead);
    return (load(this.#words, this.#cellOf(head)) & this.#cycleMask) !== (head & this.#cycleMask);
  }

  /** Whether the ring holds nothing and takes the next task; false while garbage in it stops either. */
  isReadyForNext(): boolean {
    const tail = load(this.#words, CtlHeader.queueTail);
    const cell = load(this.#words, this.#cellOf(tail));
    const isWritable = (((cell & this.#cycleMask) + this.#cells) | 0) === (tail & this.#cycleMask);
    return isWritable && load(this.#words, CtlHeader.queueHead) === tail;
  }

  /** Tasks in the ring now, give or take those in flight. */
  length(): number {
    return (load(this.#words, CtlHeader.queueTail) - load(this.#words, CtlHeader.queueHead)) | 0;
  }

  /** Position of the next task to be given; stands still while none is. */
  given(): number {
    return load(this.#words, CtlHeader.queueTail);
  }

  /** Position of the next task to be taken; stands still while none is. */
  taken(): number {
    return load(this.#words, CtlHeader.queueHead);
  }

  #cellOf(position: number): number {
    return this.#firstCell + (position & ~this.#cycleMask);
  }
}
