/**
 * Wire records of batches, in the value area of a request or the payload of a response. All starts are multiples of 4.
 *
 *   request item:   keyBytes │ valueBytes │ codec │ key, padded │ value, padded
 *   response item:  valueBytes (-1: missing) │ codec │ value, padded
 *   scanned key:    keyBytes │ key, padded
 */
import { pad4 } from '../alignment.js';
import { CodecTag } from './codec.js';
import { copyInto } from './copy.js';
import { lengthOf } from './given-bytes.js';
import { ASCII_FLAG, type WritableViews, writeAscii, writeText } from './text.js';

export const ITEM_HEADER_BYTES = 12;
export const RESULT_HEADER_BYTES = 8;
export const SCAN_HEADER_BYTES = 4;
export const MISSING = -1;

export const byteLengthOf = (data: string | Uint8Array): number =>
  typeof data === 'string' ? Buffer.byteLength(data) : lengthOf(data);

/** Bytes that one request item takes. */
export const itemBytes = (keyBytes: number, valueBytes: number): number =>
  ITEM_HEADER_BYTES + pad4(keyBytes) + pad4(valueBytes);

/**
 * Writes one request item at a multiple of 4.
 * @param mayBeAscii see writeData()
 * @returns the offset behind it, -1: there is other text in it
 */
export function writeItem(
  target: WritableViews,
  offset: number,
  key: string | Uint8Array,
  value: string | Uint8Array,
  tag: number,
  mayBeAscii: boolean,
): number {
  const keyStart = offset + ITEM_HEADER_BYTES;
  const keyBytes = writeData(target, keyStart, key, mayBeAscii);
  if (keyBytes < 0) return -1;
  const valueStart = keyStart + pad4(keyBytes);
  const valueBytes = writeData(target, valueStart, value, mayBeAscii);
  if (valueBytes < 0) return -1;
  const { words } = target;
  const header = offset / 4;
  words[header] = keyBytes;
  words[header + 1] = valueBytes;
  words[header + 2] = tagOf(tag, value, valueBytes);
  return valueStart + pad4(valueBytes);
}

/**
 * Writes text or bytes at a multiple of 4.
 * @param mayBeAscii there is room for a byte per unit of the text, and ASCII_SLACK; false: for all of it
 * @returns how many bytes, -1: there is no room for text that is not ASCII
 */
export function writeData(
  target: WritableViews,
  offset: number,
  data: string | Uint8Array,
  mayBeAscii: boolean,
): number {
  if (typeof data !== 'string') {
    const bytes = lengthOf(data);
    copyInto(target.bytes, offset, data, 0, bytes);
    return bytes;
  }
  if (!mayBeAscii) return writeText(target, offset, data);
  return writeAscii(target, offset, data) ? data.length : -1;
}

/** A codec's tag with the ASCII flag where the text turned out to be ASCII. */
export function tagOf(tag: number, data: string | Uint8Array, writtenBytes: number): number {
  const isText = tag === CodecTag.utf8 || tag === CodecTag.json;
  return isText && typeof data === 'string' && data.length === writtenBytes ? tag | ASCII_FLAG : tag;
}
