/** An operation handed over now, whose result is collected later. */
import { KvsError } from '../errors.js';
import { checkTimeout } from './options.js';
import type { Calls } from './calls.js';
import type { Job, Runnable, Runner } from './runner.js';

/** queued: waits for a slot. submitted: with the server. cancelled, fulfilled, rejected: settled. */
export type TaskState = 'queued' | 'submitted' | 'fulfilled' | 'rejected' | 'cancelled';

/** The operations that submit() takes, with the arguments of the methods of the same names. */
export type TaskName = Exclude<keyof Calls<unknown>, 'scan'>;
/** Its arguments, and what it comes to. */
export type TaskArguments<V, N extends TaskName> = Parameters<Calls<V>[N]>;
export type TaskResult<V, N extends TaskName> = ReturnType<Calls<V>[N]> extends Runnable<infer R> ? R : never;

export class Task<R> implements PromiseLike<R> {
  /** Unique within its client, rising in the order of issue. */
  readonly id: number;
  readonly #job: Job<R>;
  readonly #runner: Runner;
  #isCancelled = false;

  constructor(id: number, job: Job<R>, runner: Runner) {
    this.id = id;
    this.#job = job;
    this.#runner = runner;
    // A task that nobody waits for fails silently; its state tells.
    job.promise.catch(() => {});
  }

  get state(): TaskState {
    const { outcome, calls } = this.#job;
    if (outcome !== undefined) {
      if ('result' in outcome) return 'fulfilled';
      return this.#isCancelled ? 'cancelled' : 'rejected';
    }
    return calls.every((call) => call.state === 'queued') ? 'queued' : 'submitted';
  }

  /**
   * The result, if it comes within `ms`; without `ms`, when it comes. The task itself goes on until its own deadline.
   * @throws KvsError ERR_KVS_TIMEOUT when `ms` have passed, or what the operation throws
   */
  async wait(ms?: number): Promise<R> {
    if (ms === undefined) return this.#job.promise;
    const timeoutMs = checkTimeout(ms);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(this.#notYet(timeoutMs)), timeoutMs);
    });
    try {
      return await Promise.race([this.#job.promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Like wait(), blocking; at most until the task's own deadline. */
  waitSync(ms?: number): R {
    const timeoutMs = ms === undefined ? Infinity : checkTimeout(ms);
    const isSettled = this.#runner.waitFor(this.#job, timeoutMs);
    const { outcome } = this.#job;
    if (!isSettled || outcome === undefined) throw this.#notYet(timeoutMs);
    if ('error' in outcome) throw outcome.error;
    return outcome.result;
  }

  #notYet(ms: number): KvsError {
    const message = `task ${this.id} has not finished within ${ms} ms; it goes on until its own deadline`;
    return new KvsError('ERR_KVS_TIMEOUT', message, { executed: 'unknown' });
  }

  /**
   * Ends the task if it has not finished: its promise rejects with ERR_KVS_ABORTED, `executed` 'no' or 'unknown'.
   * @returns whether it was ended
   */
  cancel(): boolean {
    if (this.#job.outcome !== undefined) return false;
    this.#isCancelled = true;
    this.#isCancelled = this.#runner.cancel(this.#job);
    return this.#isCancelled;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting a task is what it is for
  then<A = R, B = never>(
    onFulfilled?: ((result: R) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#job.promise.then(onFulfilled, onRejected);
  }
}
