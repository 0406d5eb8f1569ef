/** The worker threads: starts them, replaces one that dies, waits for them at the end. */
import type { RecordableHistogram } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';

import type { OwnedRegion } from '../memory/region.js';
import type { ServerEvent } from './options.js';
import { Parking } from './parking.js';
import type { WorkerRecovery } from './recovery.js';
import type { WorkerInput, WorkerMessage } from './worker.js';

/** A thread that dies again within this time is restarted only after a pause, so that dying does not burn a CPU. */
const SHORT_LIFE_MS = 1000;
const RESTART_PAUSE_MS = 500;

export class WorkerPool {
  readonly #region: OwnedRegion;
  readonly #histograms: readonly RecordableHistogram[];
  readonly #recovery: WorkerRecovery;
  readonly #onEvent: (event: ServerEvent) => void;
  readonly #threads: (Worker | undefined)[] = [];
  readonly #exits: Promise<void>[] = [];
  readonly #restarts = new Set<NodeJS.Timeout>();
  readonly #parked: SharedArrayBuffer;
  #isClosing = false;

  constructor(
    region: OwnedRegion,
    histograms: readonly RecordableHistogram[],
    recovery: WorkerRecovery,
    onEvent: (event: ServerEvent) => void,
  ) {
    this.#region = region;
    this.#parked = Parking.allocate(region.geometry.slots);
    this.#histograms = histograms;
    this.#recovery = recovery;
    this.#onEvent = onEvent;
  }

  /** Resolves when every thread serves. */
  async start(): Promise<void> {
    await Promise.all(Array.from({ length: this.#region.geometry.workers }, (_, worker) => this.#spawn(worker)));
  }

  #spawn(worker: number): Promise<void> {
    const { name, shmDir, geometry, ctl, data } = this.#region;
    const histograms = this.#histograms;
    const parked = this.#parked;
    const input: WorkerInput = {
      name,
      shmDir,
      worker,
      geometry,
      ctl: ctl.buffer,
      data: data.buffer,
      histograms,
      parked,
    };
    const startedAt = performance.now();
    const thread = new Worker(new URL('worker.js', import.meta.url), {
      workerData: input,
      name: `kvs-worker-${worker}`,
    });
    this.#threads[worker] = thread;
    let failure: Error | undefined;
    thread.on('error', (error) => (failure = error instanceof Error ? error : new Error(String(error))));
    this.#exits[worker] = new Promise((resolve) => {
      thread.once('exit', (code) => {
        resolve();
        if (this.#isClosing) return;
        this.#replace(worker, failure ?? new Error(`worker thread ended with code ${code}`), startedAt);
      });
    });
    return new Promise((resolve, reject) => {
      thread.on('message', (message: WorkerMessage) => {
        if (message.type === 'ready') resolve();
        else this.#onEvent({ ...message, worker });
      });
      thread.once('exit', () => reject(failure ?? new Error(`worker thread ${worker} ended before it was ready`)));
    });
  }

  #replace(worker: number, error: Error, startedAt: number): void {
    this.#recovery.recover(worker);
    this.#onEvent({ type: 'worker-died', worker, error });
    const pause = performance.now() - startedAt < SHORT_LIFE_MS ? RESTART_PAUSE_MS : 0;
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      // Whatever ends the new thread is dealt with by its own exit.
      if (!this.#isClosing) this.#spawn(worker).catch(() => {});
    }, pause);
    this.#restarts.add(timer);
  }

  /** The threads, for tests that kill them. */
  get threads(): readonly (Worker | undefined)[] {
    return this.#threads;
  }

  /** From now on a thread that ends is not replaced. */
  expectEnd(): void {
    this.#isClosing = true;
    for (const timer of this.#restarts) clearTimeout(timer);
  }

  /** Resolves when all threads have ended; after `timeoutMs` ends them by force. */
  async join(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const thread of this.#threads) void thread?.terminate();
    }, timeoutMs);
    await Promise.all(this.#exits);
    clearTimeout(timer);
  }
}
