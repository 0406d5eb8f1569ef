/** Reads values of any codec into a buffer of the caller's. */
import { isUint8Array } from 'node:util/types';

import { kindOf } from '../errors.js';
import { type Codec, CodecTag } from './codec.js';
import { copyInto } from './copy.js';
import { lengthOf } from './given-bytes.js';

export class IntoBuffer implements Codec<number> {
  readonly tag = CodecTag.buffer;
  readonly #target: Uint8Array;

  /** @throws TypeError unless the target is a Uint8Array */
  constructor(target: Uint8Array) {
    if (!isUint8Array(target)) throw new TypeError(`target must be a Uint8Array, got ${kindOf(target)}`);
    this.#target = target;
  }

  encode(): never {
    throw new TypeError('a target buffer is read into, never written from');
  }

  /** @returns how many bytes were copied. @throws RangeError when there is too little room; nothing is copied then */
  decode(source: Buffer, start: number, end: number): number {
    const bytes = end - start;
    const room = lengthOf(this.#target);
    if (bytes > room) {
      throw new RangeError(`the value has ${bytes} bytes, the target only ${room}: give a larger one`);
    }
    copyInto(this.#target, 0, source, start, end);
    return bytes;
  }
}
