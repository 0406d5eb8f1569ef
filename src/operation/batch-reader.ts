/** Walks the items of a batch request in shared memory, checking each length before use. */
import { pad4 } from '../alignment.js';
import { ITEM_HEADER_BYTES } from '../codec/batch.js';
import { MAX_KEY_BYTES } from '../memory/layout.js';
import type { RequestView } from './request-view.js';

export class BatchReader {
  keyOffset = 0;
  keyBytes = 0;
  valueOffset = 0;
  valueBytes = 0;
  codec = 0;
  readonly #request: RequestView;
  #next = 0;
  #end = 0;

  constructor(request: RequestView) {
    this.#request = request;
  }

  /** Starts at the first item of the request in the view, or behind the first `done`. */
  begin(done = 0): void {
    this.#next = this.#request.valueOffset;
    this.#end = this.#request.valueOffset + this.#request.valueBytes;
    for (let item = 0; item < done && this.next() > 0; item++);
  }

  /** @returns 1: the fields hold the next item, 0: there is none, -1: the batch is malformed from here on */
  next(): 1 | 0 | -1 {
    if (this.#next >= this.#end) return 0;
    const { words } = this.#request.source;
    const first = this.#next / 4;
    if (this.#next + ITEM_HEADER_BYTES > this.#end) return -1;
    this.keyBytes = words[first];
    this.valueBytes = words[first + 1];
    this.codec = words[first + 2] & 0xff;
    if (this.keyBytes < 1 || this.keyBytes > MAX_KEY_BYTES || this.valueBytes < 0) return -1;
    this.keyOffset = this.#next + ITEM_HEADER_BYTES;
    this.valueOffset = this.keyOffset + pad4(this.keyBytes);
    // In floating point: a huge length cannot wrap around the check.
    const next = this.valueOffset + Math.ceil(this.valueBytes / 4) * 4;
    // Asked again, it says the same.
    if (next > this.#end) return -1;
    this.#next = next;
    return 1;
  }

  /** Of the item's key. */
  hash(): number {
    return this.#request.hash(this.keyOffset, this.keyBytes);
  }
}
