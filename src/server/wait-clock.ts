/** For how long requests have been put aside, by slot. Private to one worker. */

/**
 * What is put aside is looked at at least once in half a second. When nobody has looked for this long, it is another use of
 * the slot, whose word has come again (after 2^18 uses).
 */
const SAME_WAIT_MS = 5000;

export class WaitClock {
  readonly #requests: Int32Array;
  readonly #firstMs: Float64Array;
  readonly #lastMs: Float64Array;

  constructor(slots: number) {
    this.#requests = new Int32Array(slots);
    this.#firstMs = new Float64Array(slots);
    this.#lastMs = new Float64Array(slots);
  }

  /** @param word of the slot @returns milliseconds since the request was first asked for */
  waitedMs(slot: number, word: number, now: number): number {
    if (this.#requests[slot] !== word || now - this.#lastMs[slot] > SAME_WAIT_MS) {
      this.#requests[slot] = word;
      this.#firstMs[slot] = now;
    }
    this.#lastMs[slot] = now;
    return now - this.#firstMs[slot];
  }
}
