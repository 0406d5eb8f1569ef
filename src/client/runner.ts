/** Runs calls and batches: as a promise, blocking, or as a job that a Task looks at. */
import { performance } from 'node:perf_hooks';

import { KvsError } from '../errors.js';
import { checkSignal, leaveSignal, watchSignal } from './abort-signals.js';
import { Batch } from './batch.js';
import { BlockingCalls } from './blocking.js';
import type { Call } from './call.js';
import type { Connection } from './connection.js';
import { NOT_READ, type NotRead } from './direct-reads.js';
import { aborted } from './failures.js';
import { type CallOptions, checkOptions, checkTimeout } from './options.js';
import { Pipeline } from './pipeline.js';
import { turns } from './turns.js';

export type Runnable<R> = Call<R> | Batch<R>;

/** A call or batch on its way. */
export interface Job<R> {
  readonly promise: Promise<R>;
  readonly calls: readonly Call[];
  /** Set in the same instant in which the promise is settled. */
  outcome: { readonly result: R } | { readonly error: Error } | undefined;
}

export class Runner {
  readonly #connection: Connection;
  readonly pipeline: Pipeline;
  readonly #blocking: BlockingCalls;
  #isClosed = false;
  #closed: Promise<void> | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.pipeline = new Pipeline(connection);
    this.#blocking = new BlockingCalls(connection, this.pipeline);
  }

  /** Largest value that the server takes, in bytes. */
  get maxValueBytes(): number {
    return this.#connection.session.region.geometry.maxValueBytes;
  }

  /** Runs what `make` makes; what that throws rejects the promise like any other failure. */
  async<R>(make: () => Runnable<R>, options?: CallOptions): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#checkOpen();
      const runnable = make();
      if (options?.signal !== undefined) {
        this.start(runnable, options).promise.then(resolve, reject);
        return;
      }
      if (runnable instanceof Batch) {
        this.#issueAll(runnable, resolve, reject);
        return;
      }
      runnable.onFulfilled = resolve as (result: unknown) => void;
      runnable.onRejected = reject;
      this.pipeline.issue(runnable);
    });
  }

  /** Hands all calls of a batch over. Either function may be called again after the first time. */
  #issueAll<R>(batch: Batch<R>, resolve: (result: R) => void, reject: (error: Error) => void): void {
    const results = batch.calls.map((): unknown => undefined);
    let remaining = results.length;
    if (remaining === 0) return resolve(batch.combine(results));
    const onRejected = (error: Error): void => reject(batch.failure(error));
    batch.startClock(performance.now());
    try {
      for (const [index, call] of batch.calls.entries()) {
        // Not assigned as it is made: V8 takes such a function for a method, and puts it where only a full collection frees it.
        const onFulfilled = (result: unknown): void => {
          results[index] = result;
          if (--remaining === 0) resolve(batch.combine(results));
        };
        call.onFulfilled = onFulfilled;
        call.onRejected = onRejected;
        this.pipeline.issue(call);
      }
    } catch (error) {
      onRejected(error as Error);
    }
  }

  blocking<R>(runnable: Runnable<R>, options?: CallOptions): R {
    this.#checkOpen();
    if (options?.signal?.aborted === true) throw aborted(options.signal, 'no');
    if (!(runnable instanceof Batch)) return this.#blocking.run(runnable);
    runnable.startClock(performance.now());
    try {
      return runnable.combine(runnable.calls.map((call) => this.#blocking.run(call)));
    } catch (error) {
      throw runnable.failure(error as Error);
    }
  }

  /** Hands over at once; whatever fails, fails the job's promise. */
  start<R>(runnable: Runnable<R>, { signal }: CallOptions = {}): Job<R> {
    const batch = runnable instanceof Batch ? runnable : new Batch<R>([runnable], ([result]) => result as R);
    const { promise, resolve, reject } = withResolvers<R>();
    const job: Job<R> = { promise, calls: batch.calls, outcome: undefined };
    const onAbort = (): void => {
      this.cancel(job, signal);
    };
    const settle = (outcome: NonNullable<Job<R>['outcome']>): void => {
      if (job.outcome !== undefined) return;
      job.outcome = outcome;
      if (signal !== undefined) leaveSignal(signal, onAbort);
      if ('error' in outcome) reject(outcome.error);
      else resolve(outcome.result);
    };
    try {
      this.#checkOpen();
      if (signal?.aborted === true) throw aborted(signal, 'no');
      if (signal !== undefined) watchSignal(signal, onAbort);
      this.#issueAll(
        batch,
        (result) => settle({ result }),
        (error) => settle({ error }),
      );
    } catch (error) {
      settle({ error: error as Error });
    }
    return job;
  }

  /** Ends what has not finished of a job: ERR_KVS_ABORTED. @returns whether any of it was ended */
  cancel(job: Job<unknown>, signal?: AbortSignal): boolean {
    for (const call of job.calls) this.pipeline.endCall(call.followUp ?? call, (executed) => aborted(signal, executed));
    return job.outcome !== undefined && 'error' in job.outcome;
  }

  /** Blocks until the job is settled. @returns false when `timeoutMs` have passed */
  waitFor(job: Job<unknown>, timeoutMs: number): boolean {
    return job.outcome !== undefined || this.#blocking.waitUntil(() => job.outcome !== undefined, timeoutMs);
  }

  /** Reads without the server or, where that cannot be, through it. */
  read<R>(read: () => R | NotRead, make: () => Runnable<R>, options: CallOptions | undefined): Promise<R> {
    try {
      this.checkRead(options);
      const result = read();
      if (result !== NOT_READ) return turns.resolve(result);
    } catch (error) {
      return turns.reject(error);
    }
    return this.async(make, options);
  }

  readSync<R>(read: () => R | NotRead, make: () => Runnable<R>, options: CallOptions | undefined): R {
    this.checkRead(options);
    const result = read();
    return result === NOT_READ ? this.blocking(make(), options) : result;
  }

  /** What a read without the server must check too. @throws KvsError ERR_KVS_CLOSED, ERR_KVS_ABORTED; RangeError, TypeError */
  checkRead(options: CallOptions | undefined): void {
    // No more than that: V8 takes it, with all else that a read calls, into one function.
    if (this.#isClosed || options !== undefined) this.#checkAll(options);
  }

  #checkAll(options: CallOptions | undefined): void {
    this.#checkOpen();
    if (options === undefined) return;
    checkOptions(options);
    const { timeoutMs, signal } = options;
    if (timeoutMs !== undefined) checkTimeout(timeoutMs);
    if (signal === undefined) return;
    checkSignal(signal);
    if (signal.aborted) throw aborted(signal, 'no');
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    const message = `this client of server ${JSON.stringify(this.#connection.options.name)} is closed: connect again`;
    throw new KvsError('ERR_KVS_CLOSED', message, { executed: 'no' });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Refuses new calls, waits for those in flight (each has its deadline), then gives up the lease. */
  close(beforeLeaving: () => void): Promise<void> {
    this.#isClosed = true;
    this.#closed ??= new Promise((resolve) => {
      this.pipeline.whenIdle(() => {
        beforeLeaving();
        this.#connection.session.close();
        resolve();
      });
    });
    return this.#closed;
  }
}

function withResolvers<R>() {
  let resolve!: (result: R) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<R>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
