/**
 * The worker threads: starts them, replaces one that dies, waits for them at the end. They boot while the region is being
 * made, the first one even before, beside whatever the process loads: to boot takes longer than either.
 * The first that kvs-server loads: it must bring little along.
 */
import { performance, type RecordableHistogram } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';

import type { OwnedRegion } from '../memory/region.js';
import { MAX_WORKERS } from '../memory/layout.js';
import { load, store } from '../memory/words.js';
import type { BucketRange } from '../store/expirer.js';
import type { Evictions } from './evictions.js';
import { createLatencyHistogram } from './latency-histogram.js';
import type { ServerEvent } from './options.js';
import type { WorkerRecovery } from './recovery.js';
import { threadHasEnded } from './thread-ids.js';
import type { ServerWork, WorkerInput, WorkerMessage } from './worker.js';

/** A thread that dies again within this time is restarted only after a pause, so that dying does not burn a CPU. */
const SHORT_LIFE_MS = 1000;
const RESTART_PAUSE_MS = 500;

export class WorkerPool {
  #onEvent: (event: ServerEvent) => void = () => {};
  /** Of how long requests take, one per worker. */
  readonly histograms: RecordableHistogram[] = [];
  readonly #threads: Worker[] = [];
  /** By worker, each writes its own; 0: it is booting, and holds nothing. */
  readonly #threadIds = new Int32Array(new SharedArrayBuffer(MAX_WORKERS * 4));
  readonly #exits: Promise<void>[] = [];
  readonly #serving: Promise<void>[] = [];
  readonly #restarts = new Set<NodeJS.Timeout>();
  /** What threads work on and who looks after what one leaves; undefined before serve(). */
  #work:
    | {
        readonly input: Omit<WorkerInput, 'worker' | 'unknownBuckets'>;
        readonly recovery: WorkerRecovery;
        readonly evictions: Evictions;
      }
    | undefined;
  #isClosing = false;
  /** 1: they take nothing more. Of the server's threads alone: what clients can write must not end one. */
  readonly #leaving = new Int32Array(new SharedArrayBuffer(4));

  /**
   * Lets the first thread boot, which every server needs. Until boot() it does not keep the process alive, and ends with it.
   */
  bootAhead(): void {
    this.#boot(0);
    this.#threads[0].unref();
  }

  /** Lets all threads load their code; then they wait for serve(). Returns at once. */
  boot(workers: number, onEvent: (event: ServerEvent) => void): void {
    this.#onEvent = onEvent;
    // From here on the server's: it ends when told to, not by itself.
    for (const thread of this.#threads) thread.ref();
    for (let worker = 0; worker < workers; worker++) {
      this.histograms[worker] = createLatencyHistogram();
      if (this.#threads[worker] === undefined) this.#boot(worker);
    }
  }

  /**
   * Gives booting threads the region to work on. Resolves when every one does.
   * @param mayExpire whether there may be entries in it that expire
   */
  async serve(
    region: OwnedRegion,
    recovery: WorkerRecovery,
    work: ServerWork,
    evictions: Evictions,
    mayExpire: boolean,
  ): Promise<void> {
    const { name, shmDir, geometry, ctl, data } = region;
    const { histograms } = this;
    const shared = { ...work, eviction: evictions.buffer };
    const own = { leaving: this.#leaving.buffer, threadIds: this.#threadIds.buffer };
    const input = { name, shmDir, geometry, ctl: ctl.buffer, data: data.buffer, histograms, ...own, ...shared };
    this.#work = { input, recovery, evictions };
    const workers = histograms.length;
    // Each looks at its share of what is there already, if any of that may expire.
    const share = (mayExpire ? geometry.buckets : 0) / workers;
    for (let worker = 0; worker < workers; worker++) {
      this.#employ(worker, { from: Math.floor(worker * share), to: Math.floor((worker + 1) * share) });
    }
    await Promise.all(this.#serving);
  }

  #employ(worker: number, unknownBuckets: BucketRange): void {
    if (this.#work === undefined) return;
    const input: WorkerInput = { ...this.#work.input, worker, unknownBuckets };
    this.#threads[worker].postMessage(input);
  }

  #boot(worker: number): void {
    const startedAt = performance.now();
    // Flags of the process, --input-type or --import say, are for its own program: with some, no thread would start.
    const thread = new Worker(new URL('worker.js', import.meta.url), { name: `kvs-worker-${worker}`, execArgv: [] });
    this.#threads[worker] = thread;
    store(this.#threadIds, worker, 0);
    let failure: Error | undefined;
    thread.on('error', (error) => (failure = error instanceof Error ? error : new Error(String(error))));
    this.#exits[worker] = new Promise((resolve) => {
      thread.once('exit', (code) => {
        resolve();
        // Before there is work its end fails serve().
        if (this.#isClosing || this.#work === undefined) return;
        this.#replace(worker, failure ?? new Error(`worker thread ended with code ${code}`), startedAt);
      });
    });
    this.#serving[worker] = new Promise((resolve, reject) => {
      thread.on('message', (message: WorkerMessage) => {
        if (message.type === 'ready') resolve();
        else if (message.type === 'evicted') this.#work?.evictions.report(message.keys, message.dropped);
        else this.#onEvent({ ...message, worker });
      });
      thread.once('exit', () => reject(failure ?? new Error(`worker thread ${worker} ended before it was ready`)));
    });
    // Only serve() waits for them; whatever else ends a thread is dealt with by its exit.
    this.#serving[worker].catch(() => {});
  }

  #replace(worker: number, error: Error, startedAt: number): void {
    this.#work?.recovery.recover(worker, (other) => threadHasEnded(load(this.#threadIds, other)));
    this.#onEvent({ type: 'worker-died', worker, error });
    const pause = performance.now() - startedAt < SHORT_LIFE_MS ? RESTART_PAUSE_MS : 0;
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      if (this.#isClosing) return;
      this.#boot(worker);
      // What the dead one knew of the future went with it.
      this.#employ(worker, { from: 0, to: this.#work?.input.geometry.buckets ?? 0 });
    }, pause);
    this.#restarts.add(timer);
  }

  /** The threads, for tests that kill them. */
  get threads(): readonly Worker[] {
    return this.#threads;
  }

  /** Threads take nothing more, and end once they are awake; none is replaced. */
  dismiss(): void {
    this.#isClosing = true;
    store(this.#leaving, 0, 1);
    for (const timer of this.#restarts) clearTimeout(timer);
  }

  /** Resolves when all threads have ended; after `timeoutMs` ends them by force. */
  async join(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const thread of this.#threads) void thread.terminate();
    }, timeoutMs);
    await Promise.all(this.#exits);
    clearTimeout(timer);
  }
}
