/**
 * Where requests wait whose predecessor has not finished, in memory that only the server's threads share. Who finishes
 * a request queues again what waits behind it, so that nobody has to look twice.
 * All is named by use (slot and generation): a late release neither takes nor hides what waits for the slot's next use.
 * A thread that dies here leaves a request to the sweeper, or a count that costs a look.
 */
import { slotOfUse } from '../exchange/slot-word.js';
import type { TaskQueue } from '../exchange/task-queue.js';
import { add, cas, exchange, load } from '../memory/words.js';

export class Parking {
  /** By slot: the use + 1 that its request waits for, 0: none; behind them, by slot: how many wait for a use of it. */
  readonly #words: Int32Array;
  readonly #slots: number;
  readonly #queue: TaskQueue;

  /** Shared by all threads of the server. */
  static allocate(slots: number): SharedArrayBuffer {
    return new SharedArrayBuffer(slots * 2 * 4);
  }

  constructor(buffer: SharedArrayBuffer, queue: TaskQueue) {
    this.#words = new Int32Array(buffer);
    this.#slots = this.#words.length / 2;
    this.#queue = queue;
  }

  isParked(slot: number, predecessor: number): boolean {
    return load(this.#words, slot) === predecessor + 1;
  }

  /** Puts a request behind a use. SYNC: the caller then looks once more whether that is pending; pairs with release(). */
  park(slot: number, predecessor: number): void {
    add(this.#words, this.#countOf(predecessor), 1);
    const last = exchange(this.#words, slot, predecessor + 1);
    if (last !== 0) add(this.#words, this.#countOf(last - 1), -1);
  }

  /** Takes back park(): the predecessor has finished meanwhile. @returns false: its release() has queued the request */
  unpark(slot: number, predecessor: number): boolean {
    if (!cas(this.#words, slot, predecessor + 1, 0)) return false;
    add(this.#words, this.#countOf(predecessor), -1);
    return true;
  }

  /** Queues what waits behind a use. SYNC: after its slot's word says that it has finished. */
  release(use: number): void {
    if (load(this.#words, this.#countOf(use)) === 0) return;
    for (let slot = 0; slot < this.#slots; slot++) {
      if (load(this.#words, slot) === use + 1 && this.unpark(slot, use)) this.#queue.enqueue(slot);
    }
  }

  #countOf(use: number): number {
    return this.#slots + slotOfUse(use);
  }
}
