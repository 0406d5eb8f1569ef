/**
 * How long to look for something before sleeping for it. Spinning for about as long as a wake-up takes costs at most
 * twice the best possible (A. Karlin et al., "Empirical Studies of Competitive Spinning for a Shared-Memory
 * Multiprocessor", 1991); a sleep costs some 50 µs. The budget follows what waits turned out to take,
 * and shrinks while spinning fails: with more runnable threads than CPUs it would only delay whoever is waited for.
 * Now and then a long look finds out whether both sides could do without sleeping again. Private to one thread.
 */
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';

const MIN_MS = 0.004;
const MAX_MS = 0.1;
/** Every so many failures in a row the look is a long one. */
const PROBE_FAILURES = 16;
const LOOKS_PER_CLOCK = 32;

/** On a single CPU, whoever is waited for needs it. */
const isAlone = availableParallelism() === 1;
/** How long to look, as a rule, after something has come. */
export const USUAL_SPIN_MS = isAlone ? 0 : 0.05;

export class SpinBudget {
  #limitMs = USUAL_SPIN_MS;
  #failures = 0;

  /** @returns whether `isThere` became true within the budget */
  spin(isThere: () => boolean): boolean {
    if (isThere()) return true;
    if (isAlone) return false;
    const isProbe = this.#failures % PROBE_FAILURES === PROBE_FAILURES - 1;
    const startedAt = performance.now();
    const until = startedAt + (isProbe ? MAX_MS : this.#limitMs);
    let now = startedAt;
    do {
      for (let look = 0; look < LOOKS_PER_CLOCK; look++) if (isThere()) return this.#succeed(now - startedAt);
      now = performance.now();
    } while (now < until);
    this.#failures++;
    this.#limitMs = Math.max(MIN_MS, this.#limitMs / 2);
    return false;
  }

  /** @param tookMs until the look before the last, or 0 */
  #succeed(tookMs: number): true {
    this.#failures = 0;
    this.#limitMs = Math.min(MAX_MS, Math.max(USUAL_SPIN_MS, 2 * tookMs));
    return true;
  }
}
