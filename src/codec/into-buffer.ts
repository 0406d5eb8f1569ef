/** Reads values of any codec into a buffer of the caller's. */
import { kindOf } from '../errors.js';
import { type Codec, CodecTag } from './codec.js';
import { copyInto } from './copy.js';

export class IntoBuffer implements Codec<number> {
  readonly tag = CodecTag.buffer;
  readonly #target: Uint8Array;

  /** @throws TypeError unless the target is a Uint8Array */
  constructor(target: Uint8Array) {
    if (!(target instanceof Uint8Array)) throw new TypeError(`target must be a Uint8Array, got ${kindOf(target)}`);
    this.#target = target;
  }

  encode(): never {
    throw new TypeError('a target buffer is read into, never written from');
  }

  /** @returns how many bytes were copied. @throws RangeError when there is too little room; nothing is copied then */
  decode(source: Buffer, start: number, end: number): number {
    const bytes = end - start;
    if (bytes > this.#target.length) {
      const room = this.#target.length;
      throw new RangeError(`the value has ${bytes} bytes, the target only ${room}: give a larger one`);
    }
    copyInto(this.#target, 0, source, start, end);
    return bytes;
  }
}
