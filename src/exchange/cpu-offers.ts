/**
 * Offers this thread's CPU to whoever wants it while something is looked for (docs/adr/0020). Threads that are themselves
 * looking give it back at once; a program that computes keeps it until the kernel takes it away, for milliseconds. So
 * offers that turn out dear are not repeated for many times what they cost. A client whom the worker on the other CPU
 * answers at once keeps the CPU as long, but that time is well spent: a client is told from a program by the tasks that
 * workers took meanwhile. Private to one thread.
 */
import { performance } from 'node:perf_hooks';

import { native } from '../native.js';

/**
 * An offer that takes as long was taken: nobody who has something to do gives a CPU back sooner, and one that nobody wants
 * takes a third of that.
 */
const TAKEN_MS = 0.0025;
/** One that takes longer was taken by somebody who does not look for anything. */
const DEAR_MS = 2;
/** If workers took so many tasks in each millisecond of it, it was a client all the same. */
const TASKS_PER_MS = 4;
/** Two such within so long: they take a good part of the time. */
const OFTEN_MS = 20;
/**
 * Then none is made for so many times as long; then one shows whether it still is so. At first soon: a thread of V8 that
 * compiles or collects takes one or two such offers, and is done. If it is so each time, ever later.
 */
const FIRST_PAUSE_TIMES = 4;
const LONGEST_PAUSE_TIMES = 60;

/** Told of each offer that was taken: when it was made, by performance.now(), and for how long. */
export type OfferTaken = (now: number, tookMs: number) => void;

/** What became of an offer: it was not made, nobody wanted the CPU, or somebody had it. */
export type OfferOutcome = 'withheld' | 'unwanted' | 'taken';

export class CpuOffers {
  readonly #tasksTaken: () => number;
  readonly #onTaken: OfferTaken | undefined;
  #pausedUntil = -Infinity;
  #pauseTimes = FIRST_PAUSE_TIMES;
  #dearAt = -Infinity;

  /** @param tasksTaken how many tasks all workers have taken so far (wraps at 32 bits) */
  constructor(tasksTaken: () => number, onTaken?: OfferTaken) {
    this.#tasksTaken = tasksTaken;
    this.#onTaken = onTaken;
  }

  /** Offers the CPU, unless that was dear lately. @param now performance.now() */
  offer(now: number): OfferOutcome {
    if (now < this.#pausedUntil) return 'withheld';
    const takenBefore = this.#tasksTaken();
    native.yieldCpu();
    const cost = performance.now() - now;
    if (cost < TAKEN_MS) return 'unwanted';
    this.#onTaken?.(now, cost);
    if (cost > DEAR_MS && ((this.#tasksTaken() - takenBefore) | 0) < TASKS_PER_MS * cost) this.#noteDear(now, cost);
    return 'taken';
  }

  #noteDear(now: number, cost: number): void {
    // As soon as a pause is over, one is enough.
    const isStillSo = now - this.#pausedUntil < OFTEN_MS;
    if (isStillSo || now - this.#dearAt < OFTEN_MS) {
      this.#pauseTimes = isStillSo ? Math.min(LONGEST_PAUSE_TIMES, 2 * this.#pauseTimes) : FIRST_PAUSE_TIMES;
      this.#pausedUntil = now + cost + this.#pauseTimes * Math.min(cost, OFTEN_MS);
    }
    this.#dearAt = now + cost;
  }
}
