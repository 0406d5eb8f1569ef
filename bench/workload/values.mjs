/**
 * Keys and values that can be checked. A key has 16 bytes. A value is its key, a sequence number, filler, and the same
 * number again in the middle and at the end: a value of another key, and one put together of two, are both found out.
 * The check costs the same few nanoseconds for every peer.
 */

/** @import { Kind, Value } from '../peers/peer.mjs' */

const KEY_BYTES = 16;
const MARK_BYTES = 8;
const FILLER = 'The quick brown fox jumps over the lazy dog. ';

const keyBytes = Buffer.from('bench:0000000000', 'latin1');

/** A flat string of 16 characters. @param {number} index */
export function keyOf(index) {
  let rest = index;
  for (let at = KEY_BYTES - 1; at > 5; at--) {
    keyBytes[at] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return keyBytes.toString('latin1', 0, KEY_BYTES);
}

export class Values {
  #kind;
  #bytes;
  #middle;
  #end;
  #template;

  /**
   * @param {Kind} kind
   * @param {number} bytes of each value
   */
  constructor(kind, bytes) {
    this.#kind = kind;
    this.#bytes = bytes;
    this.#middle = (bytes >> 1) + 4;
    this.#end = bytes - MARK_BYTES;
    this.#template = Buffer.alloc(bytes, FILLER, 'latin1');
  }

  /**
   * @param {string} key
   * @param {number} sequence
   * @returns {Value}
   */
  make(key, sequence) {
    const template = this.#kind === 'string' ? this.#template : Buffer.from(this.#template);
    const mark = sequence.toString(16).padStart(MARK_BYTES, '0');
    template.write(key, 0, KEY_BYTES, 'latin1');
    for (const at of [KEY_BYTES, this.#middle, this.#end]) template.write(mark, at, MARK_BYTES, 'latin1');
    return this.#kind === 'string' ? template.toString('latin1', 0, this.#bytes) : template;
  }

  /**
   * @param {Value | Uint8Array | undefined | null} value
   * @param {string} key
   * @returns {boolean} whether it is a value that was written for the key
   */
  isRight(value, key) {
    if (typeof value === 'string') return this.#isRightText(value, key);
    if (value === undefined || value === null || value.length !== this.#bytes) return false;
    const { buffer, byteOffset, length } = value;
    return this.#isRightBytes(Buffer.from(buffer, byteOffset, length), key);
  }

  /**
   * @param {string} value
   * @param {string} key
   */
  #isRightText(value, key) {
    if (value.length !== this.#bytes || !value.startsWith(key)) return false;
    for (let i = 0; i < MARK_BYTES; i++) {
      const code = value.charCodeAt(KEY_BYTES + i);
      if (code !== value.charCodeAt(this.#middle + i) || code !== value.charCodeAt(this.#end + i)) return false;
    }
    return true;
  }

  /**
   * @param {Buffer} value
   * @param {string} key
   */
  #isRightBytes(value, key) {
    if (value.toString('latin1', 0, KEY_BYTES) !== key) return false;
    for (let i = 0; i < MARK_BYTES; i += 4) {
      const word = value.readInt32LE(KEY_BYTES + i);
      if (word !== value.readInt32LE(this.#middle + i) || word !== value.readInt32LE(this.#end + i)) return false;
    }
    return true;
  }
}
