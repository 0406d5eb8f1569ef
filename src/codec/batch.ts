/**
 * Wire records of batches, in the value area of a request or the payload of a response. All starts are multiples of 4.
 *
 *   request item:   keyBytes │ valueBytes │ codec │ key, padded │ value, padded
 *   response item:  valueBytes (-1: missing) │ codec │ value, padded
 *   scanned key:    keyBytes │ key, padded
 */
import { CodecTag } from './codec.js';
import { ASCII_FLAG, writeText } from './text.js';

export const ITEM_HEADER_BYTES = 12;
export const RESULT_HEADER_BYTES = 8;
export const SCAN_HEADER_BYTES = 4;
export const MISSING = -1;

const pad4 = (bytes: number): number => (bytes + 3) & ~3;

export const byteLengthOf = (data: string | Uint8Array): number =>
  typeof data === 'string' ? Buffer.byteLength(data) : data.length;

/** Bytes that one request item takes. */
export const itemBytes = (keyBytes: number, valueBytes: number): number =>
  ITEM_HEADER_BYTES + pad4(keyBytes) + pad4(valueBytes);

/** Writes one request item. @returns the offset behind it */
export function writeItem(
  target: Buffer,
  offset: number,
  key: string | Uint8Array,
  value: string | Uint8Array,
  tag: number,
): number {
  const keyStart = offset + ITEM_HEADER_BYTES;
  const keyBytes = writeData(target, keyStart, key);
  const valueStart = keyStart + pad4(keyBytes);
  const valueBytes = writeData(target, valueStart, value);
  target.writeInt32LE(keyBytes, offset);
  target.writeInt32LE(valueBytes, offset + 4);
  target.writeInt32LE(tagOf(tag, value, valueBytes), offset + 8);
  return valueStart + pad4(valueBytes);
}

/** Writes text or bytes. @returns how many bytes */
export function writeData(target: Buffer, offset: number, data: string | Uint8Array): number {
  if (typeof data === 'string') return writeText(target, offset, data);
  target.set(data, offset);
  return data.length;
}

/** A codec's tag with the ASCII flag where the text turned out to be ASCII. */
export function tagOf(tag: number, data: string | Uint8Array, writtenBytes: number): number {
  const isText = tag === CodecTag.utf8 || tag === CodecTag.json;
  return isText && typeof data === 'string' && data.length === writtenBytes ? tag | ASCII_FLAG : tag;
}
