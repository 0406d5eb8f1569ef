/** Answers known at once, as promises; now and then only after a turn of the event loop, so that timers and I/O go on. */

import { setImmediate as nextTurn } from 'node:timers/promises';

/** Answers in a row without a turn: well under a millisecond of them. */
const MAX_ANSWERS = 256;

export class Turns {
  #answers = 0;

  resolve<R>(value: R): Promise<R> {
    const resolved = Promise.resolve(value);
    if (!this.#isDue()) return resolved;
    // What a codec of the user's own gives may be a promise that is rejected before anybody can look at it.
    resolved.catch(() => {});
    return nextTurn().then(() => resolved);
  }

  async reject<R>(error: unknown): Promise<R> {
    if (this.#isDue()) await nextTurn();
    // As it came: it may be what a codec of the user's own throws.
    throw error;
  }

  #isDue(): boolean {
    if (++this.#answers < MAX_ANSWERS) return false;
    this.#answers = 0;
    return true;
  }
}
