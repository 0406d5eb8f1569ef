/** Answers known at once, as promises; now and then only after a turn of the event loop, so that timers and I/O go on. */

/** Answers in a row without a turn: well under a millisecond of them. */
const MAX_ANSWERS = 256;

export class Turns {
  #answers = 0;

  resolve<R>(value: R): Promise<R> {
    if (++this.#answers < MAX_ANSWERS) return Promise.resolve(value);
    this.#answers = 0;
    return new Promise((resolve) => {
      setImmediate(() => resolve(value));
    });
  }

  reject<R>(error: unknown): Promise<R> {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}
