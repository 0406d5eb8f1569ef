/**
 * How a thread that nobody waits for gets along with those that serve: it works in slices, with pauses in between. Where more
 * threads want a CPU than there are, it takes a client's or a worker's, and as long as it does, each call takes many times as
 * long: then slices are short, and rare enough that of a hundred calls hardly one meets any.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** So long it works at a stretch, and so many times as long it pauses. */
const USUAL = { sliceMs: 1, pauses: 1 };
const CROWDED = { sliceMs: 0.1, pauses: 30 };
/** It is crowded for so long after it was seen to be: threads that wait for each other do not want a CPU all the time. */
const CROWDED_MS = 100;
/** Behind a very large value, too, somebody may come to wait for it. */
const MAX_PAUSE_MS = 100;
/** So long it gives way in all: until a snapshot is there, the log grows. */
const PATIENCE_MS = 20_000;

/** Threads that run, or could. */
export class RunQueue {
  readonly #text = Buffer.alloc(128);
  #file: number | undefined;

  /** @param path of a file like /proc/loadavg; one that cannot be read tells nothing */
  constructor(path = '/proc/loadavg') {
    try {
      this.#file = openSync(path, 'r');
    } catch {
      // Some hide /proc.
    }
  }

  /** Of all the host, this thread included; 0: not known. */
  get length(): number {
    if (this.#file === undefined) return 0;
    const bytes = readSync(this.#file, this.#text, 0, this.#text.length, 0);
    // 0.20 0.18 0.12 3/80 11206
    const running = /^(?:\S+ ){3}(\d+)\//.exec(this.#text.latin1Slice(0, bytes))?.[1];
    return Number(running ?? 0);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

export class SnapshotPace {
  readonly #runQueue: Pick<RunQueue, 'length'>;
  readonly #isUrgent: () => boolean;
  readonly #patientUntil: number;
  #sliceAt: number;
  #crowdedUntil = 0;

  /**
   * @param isUrgent whether somebody waits for it by now
   * @param now performance.now(), as everywhere here
   */
  constructor(runQueue: Pick<RunQueue, 'length'>, isUrgent: () => boolean, now: number) {
    this.#runQueue = runQueue;
    this.#isUrgent = isUrgent;
    this.#patientUntil = now + PATIENCE_MS;
    this.#sliceAt = now;
  }

  /** @returns for how many milliseconds to pause; 0: go on */
  pauseAt(now: number): number {
    const worked = now - this.#sliceAt;
    if (worked < CROWDED.sliceMs || this.#isUrgent()) return 0;
    if (this.#runQueue.length > availableParallelism())
      this.#crowdedUntil = Math.min(now + CROWDED_MS, this.#patientUntil);
    const { sliceMs, pauses } = now < this.#crowdedUntil ? CROWDED : USUAL;
    return worked < sliceMs ? 0 : Math.min(worked * pauses, MAX_PAUSE_MS);
  }

  /** When a pause is over. */
  resumeAt(now: number): void {
    this.#sliceAt = now;
  }
}
