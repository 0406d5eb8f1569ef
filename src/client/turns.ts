/** Answers known at once, as promises; now and then only after a turn of the event loop, so that timers and I/O go on. */

import { setImmediate as nextTurn } from 'node:timers/promises';

/** Answers in a row without a turn: well under a millisecond of them. */
const MAX_ANSWERS = 256;

export class Turns {
  #answers = 0;

  resolve<R>(value: R): Promise<R> {
    return this.#isDue() ? nextTurn().then(() => value) : Promise.resolve(value);
  }

  async reject<R>(error: unknown): Promise<R> {
    if (this.#isDue()) await nextTurn();
    throw error instanceof Error ? error : new Error(String(error));
  }

  #isDue(): boolean {
    if (++this.#answers < MAX_ANSWERS) return false;
    this.#answers = 0;
    return true;
  }
}
