/** Who names which block: the map, a worker's note, limbo. Every block in use has one that does. */
import { type Geometry, GRANULE_BYTES } from '../memory/layout.js';

export class Names {
  /** By granule of the heap, a bit: it is named. */
  readonly #bits: Int32Array;
  readonly #first: number;

  constructor({ heapOffset, dataBytes }: Geometry) {
    this.#first = heapOffset / GRANULE_BYTES;
    this.#bits = new Int32Array(Math.ceil((dataBytes - heapOffset) / GRANULE_BYTES / 32));
  }

  has(granule: number): boolean {
    const at = granule - this.#first;
    return (this.#bits[at >> 5] & (1 << (at & 31))) !== 0;
  }

  /** @param granule of the heap. @returns false: it is named already */
  add(granule: number): boolean {
    if (this.has(granule)) return false;
    const at = granule - this.#first;
    this.#bits[at >> 5] |= 1 << (at & 31);
    return true;
  }

  remove(granule: number): void {
    const at = granule - this.#first;
    this.#bits[at >> 5] &= ~(1 << (at & 31));
  }
}
