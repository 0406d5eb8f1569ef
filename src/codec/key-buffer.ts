/** A key as bytes and hash, in private memory that is used again for the next one. */
import { lengthOf } from './given-bytes.js';
import { hashWords } from './hash.js';
import { type WritableViews, writeText } from './text.js';

/** Room for the longest text that callers may pass before its length in bytes is known. */
const ROOM_BYTES = 4096;

export class KeyBuffer implements WritableViews {
  readonly words: Int32Array;
  readonly bytes: Buffer;
  /** Of the key taken last. */
  byteLength = 0;
  hash = 0;
  readonly #seed0: number;
  readonly #seed1: number;

  constructor(seed0: number, seed1: number) {
    const room = new ArrayBuffer(ROOM_BYTES);
    this.words = new Int32Array(room);
    this.bytes = Buffer.from(room);
    this.#seed0 = seed0;
    this.#seed1 = seed1;
  }

  /** Another one, which hashes the same way. */
  static like(other: KeyBuffer): KeyBuffer {
    return new KeyBuffer(other.#seed0, other.#seed1);
  }

  /** @param key of at most 1,024 bytes */
  take(key: string | Uint8Array): void {
    if (typeof key === 'string') {
      this.byteLength = writeText(this, 0, key);
    } else {
      this.bytes.set(key);
      this.byteLength = lengthOf(key);
    }
    this.hash = hashWords(this.words, 0, this.byteLength, this.#seed0, this.#seed1);
  }
}
