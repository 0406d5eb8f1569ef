/**
 * Where requests wait whose predecessor has not finished: a list per predecessor's slot, in memory that only the
 * server's threads share. Who finishes a request queues again what waits behind it, so nobody has to look twice.
 * Lists are hints: the links of a slot that was used again may lead astray, which costs a look at a request whose turn
 * it is not, or leaves one to the sweeper. A thread that dies here leaves at worst the same.
 */
import type { TaskQueue } from '../exchange/task-queue.js';
import { cas, exchange, load, store } from '../memory/words.js';

/** First waiting slot + 1, next waiting slot + 1, and the word of the request that waits, per slot. */
const WORDS = 3;

export class Parking {
  readonly #words: Int32Array;
  readonly #slots: number;
  readonly #queue: TaskQueue;

  /** Shared by all threads of the server. */
  static allocate(slots: number): SharedArrayBuffer {
    return new SharedArrayBuffer(slots * WORDS * 4);
  }

  constructor(buffer: SharedArrayBuffer, queue: TaskQueue) {
    this.#words = new Int32Array(buffer);
    this.#slots = this.#words.length / WORDS;
    this.#queue = queue;
  }

  /** Whether the request is on a list, or was until a moment ago. */
  isParked(slot: number, submitted: number): boolean {
    return load(this.#words, 2 * this.#slots + slot) === submitted;
  }

  /** Puts a request behind another. SYNC: the caller then looks at `predecessor` once more; pairs with release(). */
  park(slot: number, submitted: number, predecessor: number): void {
    store(this.#words, 2 * this.#slots + slot, submitted);
    for (;;) {
      const first = load(this.#words, predecessor);
      if (first === slot + 1) return;
      store(this.#words, this.#slots + slot, first);
      if (cas(this.#words, predecessor, first, slot + 1)) return;
    }
  }

  /** Queues what waits behind a request. SYNC: after the request's slot says that it has finished. */
  release(predecessor: number): void {
    if (load(this.#words, predecessor) === 0) return;
    let waiting = exchange(this.#words, predecessor, 0);
    while (waiting !== 0) {
      const slot = waiting - 1;
      // Links are used up: a list that leads back into itself ends there.
      waiting = exchange(this.#words, this.#slots + slot, 0);
      this.#queue.enqueue(slot);
    }
  }
}
