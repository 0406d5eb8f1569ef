/**
 * A worker that takes turns with its client on one CPU, while another is idle, moves away (docs/adr/0023). The kernel sees
 * no reason to part them for many milliseconds: each has run a moment ago, and is better off where its caches are.
 */
import { native } from '../native.js';
import { CPUS, presentCpus, type RunQueue } from './run-queue.js';

/** In turns if others have had this CPU, by our offers, for so long within so long; one of them counts for so much. */
const SHARED_MS = 0.15;
const WITHIN_MS = 2;
const MOST_OF_ONE_MS = 0.1;
/** What was done, or found, settles it for so long: moved; too few CPUs were idle; it may not move. */
const MOVED_MS = 1;
const CROWDED_MS = 4;
const KEPT_MS = 1000;

/** Private to one thread. All times in milliseconds, moments as of performance.now(). */
export class CpuSharing {
  readonly #runQueue: Pick<RunQueue, 'length'>;
  #since = -Infinity;
  #takenMs = 0;
  #settledUntil = -Infinity;
  /** Of the host. One that is added later is not known, and then there are more than these to run on. */
  #cpus: number | undefined;

  constructor(runQueue: Pick<RunQueue, 'length'>) {
    this.#runQueue = runQueue;
  }

  /** This CPU was offered at `now`, and somebody had it for so long. */
  noteTaken(now: number, tookMs: number): void {
    if (now < this.#settledUntil) return;
    if (now - this.#since > WITHIN_MS) {
      this.#since = now;
      this.#takenMs = 0;
    }
    this.#takenMs += Math.min(tookMs, MOST_OF_ONE_MS);
    if (this.#takenMs < SHARED_MS) return;
    this.#takenMs = 0;
    this.#settledUntil = now + tookMs + this.#settle();
  }

  /** @returns for how long that holds */
  #settle(): number {
    const { length } = this.#runQueue;
    // 0: not known. Two of them are on this CPU; the kernel chooses any of the others, of which half must be idle.
    if (length === 0 || 2 * (length - 2) > CPUS - 1) return CROWDED_MS;
    this.#cpus ??= presentCpus();
    return native.leaveCpu(this.#cpus) ? MOVED_MS : KEPT_MS;
  }
}
