/**
 * Requests that were put back because their answers found no room, until they are tried again: soon at first, then each
 * time after a quarter of what they have waited for, so that a client that takes nothing keeps no worker busy.
 * Private to one worker; what one takes with it when it dies the sweeper finds.
 */
import { performance } from 'node:perf_hooks';

import type { TaskQueue } from '../exchange/task-queue.js';
import { WaitClock } from './wait-clock.js';

const MIN_PAUSE_MS = 1;
const MAX_PAUSE_MS = 50;
/** Share of what a request has waited for so far. */
const PAUSE_SHARE = 1 / 4;

export class Retries {
  readonly #queue: TaskQueue;
  readonly #now: () => number;
  readonly #clock: WaitClock;
  /** By slot: when the request is due; 0: it does not wait here. */
  readonly #dueMs: Float64Array;
  /** The slots of those that wait. */
  readonly #waiting: number[] = [];
  #nextMs = Infinity;

  /** @param now in milliseconds, above 0 */
  constructor(queue: TaskQueue, slots: number, now = () => performance.now()) {
    this.#queue = queue;
    this.#now = now;
    this.#clock = new WaitClock(slots);
    this.#dueMs = new Float64Array(slots);
  }

  /** @param submitted the word of the slot */
  add(slot: number, submitted: number): void {
    const now = this.#now();
    const pause = this.#clock.waitedMs(slot, submitted, now) * PAUSE_SHARE;
    if (this.#dueMs[slot] === 0) this.#waiting.push(slot);
    this.#dueMs[slot] = now + Math.min(Math.max(pause, MIN_PAUSE_MS), MAX_PAUSE_MS);
    this.#nextMs = Math.min(this.#nextMs, this.#dueMs[slot]);
  }

  /** Queues those that are due. */
  enqueueDue(): void {
    if (this.#waiting.length === 0) return;
    const now = this.#now();
    if (now < this.#nextMs) return;
    this.#nextMs = Infinity;
    let kept = 0;
    for (const slot of this.#waiting) {
      const dueMs = this.#dueMs[slot];
      if (dueMs > now) {
        this.#waiting[kept++] = slot;
        this.#nextMs = Math.min(this.#nextMs, dueMs);
      } else {
        this.#dueMs[slot] = 0;
        this.#queue.enqueue(slot);
      }
    }
    this.#waiting.length = kept;
  }

  /** Infinity: none waits. */
  msUntilDue(): number {
    return this.#waiting.length === 0 ? Infinity : this.#nextMs - this.#now();
  }
}
