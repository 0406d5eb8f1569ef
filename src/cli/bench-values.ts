/** The values of a bench, and which key and which write each is of: both can be told from the value itself. */

/** Keys, and writes of one key, whose values are told apart: as many of each. */
const KINDS = 16;

export class BenchValues {
  readonly #pattern: Buffer;
  readonly #bytes: number;

  constructor(bytes: number) {
    this.#bytes = bytes;
    // Of 256 bytes in a row no two are the same: the first one says where in it a value begins.
    this.#pattern = Buffer.from(Array.from({ length: bytes + KINDS * KINDS }, (_, index) => (index * 167 + 13) & 0xff));
  }

  /** Of a write of the key with this number: no copy, not to be written to. */
  of(key: number, write: number): Buffer {
    const start = (key % KINDS) * KINDS + (write % KINDS);
    return this.#pattern.subarray(start, start + this.#bytes);
  }

  /** Whether it is the one of that write, whole. */
  isOf(value: Uint8Array | undefined, key: number, write: number): boolean {
    return value !== undefined && this.of(key, write).equals(value);
  }

  /** Whether it is one of the key's, whole. */
  isOfAnyWrite(value: Uint8Array | undefined, key: number): boolean {
    if (value === undefined || value.length === 0) return value?.length === this.#bytes;
    for (let write = 0; write < KINDS; write++) {
      if (this.of(key, write)[0] === value[0]) return this.isOf(value, key, write);
    }
    return false;
  }
}
