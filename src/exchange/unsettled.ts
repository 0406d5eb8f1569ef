/**
 * Requests that have taken effect in memory and are answered once the log is durable (`sync: 'always'`): they stay
 * EXECUTING, with their answers written, and nobody waits for the disk. By slot, two words in the data segment, so that
 * they outlive the server: the use, and the cell of the log that must be durable (store/log-order.ts).
 * A worker notes them; the thread that writes the log answers them. The use is noted last and cleared after it was
 * answered: whoever takes over finds it noted, or answered, or both. While it is noted it is never executed again.
 */
import type { Geometry } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { cas, exchange, load, store } from '../memory/words.js';

export class Unsettled {
  readonly #words: Int32Array;
  readonly #uses: number;
  readonly #cells: number;
  readonly #slots: number;

  constructor(data: SegmentViews, geometry: Geometry) {
    this.#words = data.words;
    this.#uses = geometry.unsettledOffset / 4;
    this.#cells = geometry.unsettledCellOffset / 4;
    // Without a log there are none.
    this.#slots = geometry.logBytes > 0 ? geometry.slots : 0;
  }

  /** SYNC: publishes all of it; pairs with each(). Then wake the thread that writes the log. */
  note(slot: number, executing: number, cell: number): void {
    this.#words[this.#cells + slot] = cell;
    exchange(this.#words, this.#uses + slot, executing);
  }

  /** Whether this use of a slot has taken effect and waits for the log. */
  has(slot: number, executing: number): boolean {
    return slot < this.#slots && load(this.#words, this.#uses + slot) === executing;
  }

  /** After it was answered. The slot may have been used again, and noted, since then. */
  clear(slot: number, executing: number): void {
    cas(this.#words, this.#uses + slot, executing, 0);
  }

  /** Nobody else is at work. */
  clearAll(): void {
    for (let slot = 0; slot < this.#slots; slot++) store(this.#words, this.#uses + slot, 0);
  }

  /** Runs `visit` for those whose cell is in front of `end`. */
  each(end: number, visit: (slot: number, executing: number) => void): void {
    for (let slot = 0; slot < this.#slots; slot++) {
      const executing = load(this.#words, this.#uses + slot);
      if (executing !== 0 && this.#isDue(slot, end)) visit(slot, executing);
    }
  }

  /** Whether there are any whose cell is in front of `end`. */
  isAnyDue(end: number): boolean {
    for (let slot = 0; slot < this.#slots; slot++) {
      if (load(this.#words, this.#uses + slot) !== 0 && this.#isDue(slot, end)) return true;
    }
    return false;
  }

  #isDue(slot: number, end: number): boolean {
    return ((this.#words[this.#cells + slot] - end) | 0) < 0;
  }
}
