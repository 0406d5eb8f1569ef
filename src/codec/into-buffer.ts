/** Reads values of any codec into a buffer of the caller's. */
import { isUint8Array } from 'node:util/types';

import { kindOf } from '../errors.js';
import { type Codec, CodecTag } from './codec.js';
import { copyLeanly } from './copy.js';
import { lengthOf } from './given-bytes.js';

export const NOWHERE = new Uint8Array(0);

export class IntoBuffer implements Codec<number> {
  readonly tag = CodecTag.buffer;
  #target: Uint8Array;

  /** @throws TypeError unless the target is a Uint8Array */
  constructor(target: Uint8Array) {
    this.#target = NOWHERE;
    this.aim(target);
  }

  /** Another target from here on. @throws TypeError unless it is a Uint8Array */
  aim(target: Uint8Array): void {
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
    copyLeanly(this.#target, 0, source, start, end);
    return bytes;
  }
}
