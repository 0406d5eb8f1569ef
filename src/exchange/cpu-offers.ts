/**
 * Offers this thread's CPU to whoever wants it while something is looked for (docs/adr/0020). Threads that are themselves
 * looking give it back at once; a program that computes keeps it until the kernel takes it away, for milliseconds. So
 * offers that turn out dear are not repeated for many times what they cost. Private to one thread.
 */
import { performance } from 'node:perf_hooks';

import { native } from '../native.js';

/** An offer that takes longer was taken by somebody who does not look for anything. */
const DEAR_MS = 2;
/** After two such in a row none is made for so many times as long; then one shows whether it still is so. */
const PAUSE_TIMES = 60;

export class CpuOffers {
  #pausedUntil = 0;
  #wasDear = false;

  /** Offers the CPU, unless that was dear lately. @param now performance.now() @returns whether it did */
  offer(now: number): boolean {
    if (now < this.#pausedUntil) return false;
    native.yieldCpu();
    const cost = performance.now() - now;
    const isDear = cost > DEAR_MS;
    if (isDear && this.#wasDear) this.#pausedUntil = now + PAUSE_TIMES * cost;
    this.#wasDear = isDear;
    return true;
  }
}
