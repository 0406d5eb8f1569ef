/**
 * How long to look for something before sleeping for it. Spinning for about as long as a wake-up takes costs at most
 * twice the best possible (A. Karlin et al., "Empirical Studies of Competitive Spinning for a Shared-Memory
 * Multiprocessor", 1991); a sleep costs some 50 µs. The budget follows what waits turned out to take,
 * and shrinks while spinning fails: with more runnable threads than CPUs it would only delay whoever is waited for.
 * The wait after a failure is a long look: if the other side had to be woken, both can do without sleeping again. As long
 * as long looks fail too, they become rarer. Private to one thread.
 */
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';

const MIN_MS = 0.004;
/** Longer than it takes to wake the other side and be answered. */
const MAX_MS = 0.2;
/** So many looks are short at most before one is long. */
const MAX_SHORT = 16;
const LOOKS_PER_CLOCK = 32;

/** On a single CPU, whoever is waited for needs it. */
const isAlone = availableParallelism() === 1;
/** How long to look, as a rule, after something has come. */
export const USUAL_SPIN_MS = isAlone ? 0 : 0.05;

export class SpinBudget {
  #limitMs = USUAL_SPIN_MS;
  /** Short looks that may fail before the next long one; how many there were to be. */
  #shortLeft = 1;
  #short = 1;

  /** @returns whether `isThere` became true within the budget */
  spin(isThere: () => boolean): boolean {
    if (isThere()) return true;
    if (isAlone) return false;
    const isLong = this.#shortLeft === 0;
    const startedAt = performance.now();
    const until = startedAt + (isLong ? MAX_MS : this.#limitMs);
    let now = startedAt;
    do {
      for (let look = 0; look < LOOKS_PER_CLOCK; look++) if (isThere()) return this.#succeed(now - startedAt);
      now = performance.now();
    } while (now < until);
    this.#fail(isLong);
    return false;
  }

  #fail(wasLong: boolean): void {
    if (wasLong) this.#short = Math.min(MAX_SHORT, 2 * this.#short);
    this.#shortLeft = wasLong ? this.#short : this.#shortLeft - 1;
    this.#limitMs = Math.max(MIN_MS, this.#limitMs / 2);
  }

  /** @param tookMs until the look before the last, or 0 */
  #succeed(tookMs: number): true {
    this.#short = 1;
    this.#shortLeft = 1;
    this.#limitMs = Math.min(MAX_MS, Math.max(USUAL_SPIN_MS, 2 * tookMs));
    return true;
  }
}
