/**
 * INCR: adds to a number and answers with the sum. The number keeps the form in which it is stored: int32, float64, or
 * decimal text (what the codecs utf8, json and buffer write), and its expiry; a missing key starts at 0 in the form of the
 * client's codec, without one.
 */
import { CodecTag, withoutFlags } from '../codec/codec.js';
import { ASCII_FLAG } from '../codec/text.js';
import { Status } from '../errors.js';
import { fillNumber, MAX_NUMBER_BYTES, prepareNumber } from '../store/numbers.js';
import type { Operation } from './operation.js';
import { hashPrepared } from './prepare-entry.js';

/** Longer text is not taken for a number. */
const MAX_TEXT_BYTES = 32;
const DECIMAL = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/** @returns NaN for what is no number */
function readNumber(bytes: Buffer, tag: number): number {
  switch (tag) {
    case CodecTag.int32:
      return bytes.length === 4 ? bytes.readInt32LE() : Number.NaN;
    case CodecTag.float64:
      return bytes.length === 8 ? bytes.readDoubleLE() : Number.NaN;
    case CodecTag.utf8:
    case CodecTag.json:
    case CodecTag.buffer: {
      const text = bytes.length <= MAX_TEXT_BYTES ? bytes.latin1Slice() : '';
      return DECIMAL.test(text) ? Number(text) : Number.NaN;
    }
    default:
      return Number.NaN;
  }
}

/** Whether the sum can be stored without losing what was added, and was made of all digits of the value. */
function isInRange(sum: number, tag: number, value: number, by: number): boolean {
  if (tag === CodecTag.int32) return (sum | 0) === sum;
  if (!Number.isInteger(value) || !Number.isInteger(by)) return Number.isFinite(sum);
  // More digits than a number holds are rounded when they are read: the sum of the rounded value would be in range again.
  return Number.isSafeInteger(sum) && (tag === CodecTag.float64 || Number.isSafeInteger(value));
}

/** @returns how many bytes were written */
function writeNumber(target: Buffer, value: number, tag: number): number {
  if (tag === CodecTag.int32) return target.writeInt32LE(value);
  if (tag === CodecTag.float64) return target.writeDoubleLE(value);
  const text = String(value);
  // As few digits as tell it apart from all others, at most 24 characters; some small numbers are longer without exponent.
  return target.write(text.length <= MAX_NUMBER_BYTES ? text : value.toExponential(), 'latin1');
}

const tagOfNumber = (tag: number): number => (tag === CodecTag.utf8 || tag === CodecTag.json ? tag | ASCII_FLAG : tag);

const encoded = Buffer.alloc(MAX_NUMBER_BYTES);

export const incr: Operation<number> = {
  name: 'incr',
  opcode: 8,
  scope: 'key',
  apply(request, response, { store }) {
    const by = request.argument;
    const { source, keyOffset, keyBytes } = request;
    if (keyBytes === 0) return response.status(Status.badRequest);
    const admission = store.admit(MAX_NUMBER_BYTES);
    if (admission !== Status.ok) return response.status(admission);
    const block = prepareNumber(store, 0, source, keyOffset, keyBytes);
    if (block === 0) return response.status(Status.outOfMemory);
    const hash = hashPrepared(request, store, block);
    let old = 0;
    let sum = Number.NaN;
    store.lock(hash);
    try {
      const found = store.findSameKey(hash, block);
      const tag = withoutFlags(found === 0 ? request.codec : store.map.codecOf(found));
      const value = found === 0 ? readNumber(zeroOf(tag), tag) : readNumber(store.valueView(found), tag);
      sum = value + by;
      if (!isInRange(sum, tag, value, by)) sum = Number.NaN;
      if (!Number.isNaN(sum)) {
        // The answer before the commit: whoever finds the one finds the other.
        response.number(sum);
        const expiresAt = found === 0 ? 0 : store.map.expiresAtOf(found);
        fillNumber(store, block, encoded, writeNumber(encoded, sum, tag), tagOfNumber(tag), expiresAt);
        old = store.put(hash, block);
      }
    } finally {
      store.unlock(hash);
    }
    if (Number.isNaN(sum)) {
      store.discard(block);
      response.status(Status.notANumber);
      return;
    }
    store.recycle(old);
  },
  decode: (response) => response.number,
};

const TEXT_ZERO = Buffer.from('0');
const BINARY_ZERO = { [CodecTag.int32]: Buffer.alloc(4), [CodecTag.float64]: Buffer.alloc(8) } as Record<
  number,
  Buffer
>;
const zeroOf = (tag: number): Buffer => BINARY_ZERO[tag] ?? TEXT_ZERO;
