/** Answers known at once, as promises; now and then only after a turn of the event loop, so that timers and I/O go on. */

import { setImmediate as nextTurn } from 'node:timers/promises';

/** Answers in a row without a turn: less than a millisecond of them, as a rule. */
const MAX_ANSWERS = 1024;

class Turns {
  #answers = 0;
  /** That all answers wait for which are due before it comes, or many loops would each have their own row. */
  #turn: Promise<void> | undefined;

  resolve<R>(value: R): Promise<R> {
    const resolved = Promise.resolve(value);
    if (++this.#answers < MAX_ANSWERS) return resolved;
    // What a codec of the user's own gives may be a promise that is rejected before anybody can look at it.
    resolved.catch(() => {});
    return this.#next().then(() => resolved);
  }

  async reject<R>(error: unknown): Promise<R> {
    if (++this.#answers >= MAX_ANSWERS) await this.#next();
    // As it came: it may be what a codec of the user's own throws.
    throw error;
  }

  #next(): Promise<void> {
    this.#turn ??= nextTurn().then(() => {
      this.#answers = 0;
      this.#turn = undefined;
    });
    return this.#turn;
  }
}

/** Of all clients of this thread: they share its event loop. */
export const turns = new Turns();
