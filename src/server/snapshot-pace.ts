/**
 * How the thread that makes a snapshot gets along with those that serve: it works in slices, with pauses in between. Where
 * more threads want a CPU than there are, it takes a client's or a worker's, and as long as it does, each call takes many
 * times as long: then slices are short, and rare enough that of a hundred calls hardly one meets any.
 */
import { CPUS, type RunQueue } from './run-queue.js';

/** So long it works at a stretch, and so many times as long it pauses. */
const USUAL = { sliceMs: 1, pauseTimes: 1 };
const CROWDED = { sliceMs: 0.1, pauseTimes: 30 };
/** However long a slice took: one that takes longer waited for the disk, or copied a very large value. */
const MAX_PAUSE_MS = 30;
/** It is crowded for so long after it was seen to be: threads that wait for each other do not want a CPU all the time. */
const CROWDED_MS = 100;
/** From so long after its beginning on it no longer gives way: until a snapshot is there, the log grows. */
const PATIENCE_MS = 20_000;

/** All times in milliseconds, moments as of performance.now(). */
export class SnapshotPace {
  readonly #runQueue: Pick<RunQueue, 'length'>;
  readonly #isUrgent: () => boolean;
  readonly #patientUntil: number;
  #sliceAt: number;
  #lookAgainAt = 0;
  #crowdedUntil = 0;

  /** @param isUrgent whether the server cannot stop, or nobody write, until the snapshot is there */
  constructor(runQueue: Pick<RunQueue, 'length'>, isUrgent: () => boolean, now: number) {
    this.#runQueue = runQueue;
    this.#isUrgent = isUrgent;
    this.#patientUntil = now + PATIENCE_MS;
    this.#sliceAt = now;
  }

  /** @returns for how long to pause; 0: go on */
  pauseAt(now: number): number {
    const took = now - this.#sliceAt;
    if (took < CROWDED.sliceMs || this.#isUrgent()) return 0;
    if (now >= this.#lookAgainAt) {
      this.#lookAgainAt = now + CROWDED.sliceMs;
      if (this.#runQueue.length > CPUS) this.#crowdedUntil = Math.min(now + CROWDED_MS, this.#patientUntil);
    }
    const { sliceMs, pauseTimes } = now < this.#crowdedUntil ? CROWDED : USUAL;
    return took < sliceMs ? 0 : Math.min(took * pauseTimes, MAX_PAUSE_MS);
  }

  /** When a pause is over. */
  resumeAt(now: number): void {
    this.#sliceAt = now;
  }
}
