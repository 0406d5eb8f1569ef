/** A worker's private buffer in which answers of unknown length are put together; grows up to a bound. */
import { copyBytes } from '../memory/copy.js';
import { type SegmentViews, viewsOf } from '../memory/segment.js';

const FIRST_BYTES = 64 * 1024;

export class Scratch {
  views: SegmentViews = viewsOf(new SharedArrayBuffer(FIRST_BYTES));
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = Math.ceil(maxBytes / 8) * 8;
  }

  /** Makes room for `bytes` behind the first `used`, which are kept. @returns false when that is beyond the bound */
  reserve(used: number, bytes: number): boolean {
    const needed = used + bytes;
    const size = this.views.buffer.byteLength;
    if (needed <= size) return true;
    if (needed > this.#maxBytes) return false;
    const grown = viewsOf(
      new SharedArrayBuffer(Math.min(this.#maxBytes, Math.max(2 * size, Math.ceil(needed / 8) * 8))),
    );
    copyBytes(this.views, 0, grown, 0, used);
    this.views = grown;
    return true;
  }
}
