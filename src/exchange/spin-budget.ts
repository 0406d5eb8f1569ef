/**
 * How long to look for something before sleeping for it. Spinning for about as long as a wake-up takes costs at most
 * twice the best possible (A. Karlin et al., "Empirical Studies of Competitive Spinning for a Shared-Memory
 * Multiprocessor", 1991). On a machine with more runnable threads than CPUs it only delays whoever is waited for: so the
 * budget shrinks while spinning fails and recovers when it succeeds. Now and then a long look finds out whether both
 * sides could do without sleeping again. Private to one thread.
 */
import { availableParallelism } from 'node:os';

const MIN_MS = 0.004;
const MAX_MS = 0.02;
const PROBE_MS = 0.05;
/** Every so many failures in a row the look is a long one. */
const PROBE_FAILURES = 16;
const LOOKS_PER_CLOCK = 32;

/** On a single CPU, whoever is waited for needs it. */
const isAlone = availableParallelism() === 1;

export class SpinBudget {
  #limitMs = MAX_MS;
  #failures = 0;

  /** @returns whether `isThere` became true within the budget */
  spin(isThere: () => boolean): boolean {
    if (isThere()) return true;
    if (isAlone) return false;
    const isProbe = this.#failures % PROBE_FAILURES === PROBE_FAILURES - 1;
    const until = performance.now() + (isProbe ? PROBE_MS : this.#limitMs);
    do {
      for (let look = 0; look < LOOKS_PER_CLOCK; look++) if (isThere()) return this.#succeed();
    } while (performance.now() < until);
    this.#failures++;
    this.#limitMs = Math.max(MIN_MS, this.#limitMs / 2);
    return false;
  }

  #succeed(): true {
    this.#failures = 0;
    this.#limitMs = Math.min(MAX_MS, this.#limitMs * 2);
    return true;
  }
}
