/**
 * How long to look for something before sleeping for it. Spinning pays when what is waited for comes sooner than a
 * wake-up takes; so the budget grows when a sleep turned out short and shrinks when it was long. Private to one thread.
 * Source of the idea: A. Karlin et al., "Empirical Studies of Competitive Spinning for a Shared-Memory Multiprocessor"
 * (1991).
 */
import { availableParallelism } from 'node:os';

const MIN_MS = 0.005;
const START_MS = 0.02;
const MAX_MS = 0.1;
/** After a sleep this long, spinning longer would not have helped. */
const LONG_MS = 1;
const LOOKS_PER_CLOCK = 32;

export class SpinBudget {
  /** 0 on a single CPU: whoever is waited for needs it. */
  #limitMs = availableParallelism() > 1 ? START_MS : 0;
  #sleptAt = 0;

  /** @returns whether `isThere` became true within the budget */
  spin(isThere: () => boolean): boolean {
    const until = performance.now() + this.#limitMs;
    do {
      for (let look = 0; look < LOOKS_PER_CLOCK; look++) if (isThere()) return true;
    } while (performance.now() < until);
    return false;
  }

  fallAsleep(): void {
    this.#sleptAt = performance.now();
  }

  wakeUp(): void {
    const sleptMs = performance.now() - this.#sleptAt;
    if (sleptMs < MAX_MS) this.#limitMs = Math.min(MAX_MS, this.#limitMs * 2);
    else if (sleptMs > LONG_MS && this.#limitMs > 0) this.#limitMs = Math.max(MIN_MS, this.#limitMs / 2);
  }
}
