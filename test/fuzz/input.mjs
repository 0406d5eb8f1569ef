/** Reads fields out of the bytes that the fuzzer makes up; 0 when there are no more. */
export class Input {
  #bytes;
  #at = 0;

  /** @param {Buffer} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  get isEmpty() {
    return this.#at >= this.#bytes.length;
  }

  word() {
    this.#at += 4;
    return this.#at <= this.#bytes.length ? this.#bytes.readInt32LE(this.#at - 4) : 0;
  }

  float() {
    this.#at += 8;
    return this.#at <= this.#bytes.length ? this.#bytes.readDoubleLE(this.#at - 8) : 0;
  }

  /** @param {number} count a power of two */
  choice(count) {
    return this.word() & (count - 1);
  }

  rest() {
    const rest = this.#bytes.subarray(this.#at);
    this.#at = this.#bytes.length;
    return rest;
  }
}

/** @param {boolean} condition @param {string} what @returns {asserts condition} */
export function must(condition, what) {
  if (!condition) throw new Error(what);
}
