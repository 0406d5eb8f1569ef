/** Values between what a user types or sees and what is stored. */
import { isUtf8 } from 'node:buffer';

import { type CodecName, codecNameOf, CodecTag, resolveCodec, type StoredValue } from '../codec/codec.js';
import { type ShownValue, UsageError } from './command.js';
import { isHarmless, quoteWord } from './shell-words.js';

/**
 * Makes a value of the codec out of what was typed. Without a codec: text, or raw bytes where they are no UTF-8.
 * @throws UsageError for what the codec does not take
 */
export function storedValue(typed: Buffer, codec: CodecName | undefined): StoredValue {
  const isText = isUtf8(typed);
  if (codec === undefined) return { bytes: typed, tag: isText ? CodecTag.utf8 : CodecTag.buffer };
  if (codec === 'utf8' && !isText) throw new UsageError('the value is not UTF-8 text: use --codec buffer');
  if (codec === 'json') checkJson(typed);
  const isNumeric = codec === 'int32' || codec === 'float64';
  return { bytes: isNumeric ? encodeNumber(typed.toString().trim(), codec) : typed, tag: CodecTag[codec] };
}

function checkJson(typed: Buffer): void {
  try {
    if (!isUtf8(typed)) throw new SyntaxError('it is not UTF-8');
    JSON.parse(typed.toString());
  } catch (cause) {
    throw new UsageError(`the value is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function encodeNumber(text: string, codec: 'int32' | 'float64'): Buffer {
  try {
    return resolveCodec<number>(codec).encode(text === '' ? Number.NaN : Number(text)) as Buffer;
  } catch (cause) {
    throw new UsageError(`the value must be ${codec}, got ${JSON.stringify(text)}`, { cause });
  }
}

/**
 * What is printed for a value: its bytes; with a codec named, what that codec reads.
 * @throws KvsError ERR_KVS_CODEC when that codec does not read it
 */
export function shownValue(value: StoredValue, codec: CodecName | undefined): ShownValue {
  if (codec === undefined) return { exact: value.bytes, readable: readableText(value) };
  const decoded = decode(value, codec);
  if (typeof decoded !== 'number') return { exact: value.bytes, readable: readableText(value) };
  return { exact: Buffer.from(String(decoded)), readable: String(decoded) };
}

const decode = ({ bytes, tag }: StoredValue, codec: CodecName): unknown =>
  resolveCodec(codec).decode(bytes, 0, bytes.length, tag);

const isNumber = (tag: number): boolean => tag === CodecTag.int32 || tag === CodecTag.float64;

function readableText(value: StoredValue): string {
  const name = codecNameOf(value.tag) as CodecName;
  if (isNumber(value.tag)) return String(decode(value, name));
  return isHarmless(value.bytes) ? value.bytes.toString() : quoteWord(value.bytes);
}

/** A value in JSON, beside the name of the codec that wrote it: numbers and JSON as such, else text or base64. */
export function jsonOfValue(value: StoredValue, codec: CodecName | undefined): { value: unknown; codec: string } {
  const writer = codecNameOf(value.tag) ?? 'unknown';
  if (codec !== undefined && codec !== 'buffer') decode(value, codec);
  if (isNumber(value.tag)) {
    const decoded = decode(value, writer as CodecName) as number;
    return { value: Number.isFinite(decoded) ? decoded : String(decoded), codec: writer };
  }
  if (value.tag === CodecTag.json) return { value: JSON.parse(value.bytes.toString()) as unknown, codec: writer };
  return { value: jsonOfBytes(value.bytes), codec: writer };
}

/** Text where the bytes are UTF-8, else `{ base64 }`. */
export const jsonOfBytes = (bytes: Buffer): string | { base64: string } =>
  isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') };
