/**
 * Stored values in JSON lines, so that they read back to the same bytes: what `log dump` and `export` print, and what
 * `import` takes. As `value` what the codec reads, where that says it all; else, as `bytes`, what is stored (JSON with
 * spaces in it, say, or a number that JSON numbers cannot carry). Bytes are text where they are UTF-8, else { base64 }.
 */
import { type CodecName, codecNameOf, CodecTag, resolveCodec, type StoredValue, withoutFlags } from '../codec/codec.js';
import { kindOf } from '../errors.js';
import { jsonOfBytes } from './values.js';

/** What is no such representation; the message says what was expected and what came. */
export class NotExactJson extends Error {
  override readonly name = 'NotExactJson';
}

export interface ExactJson {
  /** Its name, or its number where it has none. */
  readonly codec: string | number;
  /** Of the two, one. */
  readonly value?: unknown;
  readonly bytes?: unknown;
}

const MAX_DATE_MS = 8.64e15;
/** Numbers that JSON has no numbers for. */
const SPECIAL_NUMBERS: readonly unknown[] = ['NaN', 'Infinity', '-Infinity', '-0'];
const MAX_TAG = withoutFlags(-1);

export function exactJsonOf({ bytes, tag }: StoredValue): ExactJson {
  const codec = codecNameOf(tag) ?? withoutFlags(tag);
  const hasOwnForm = tag === CodecTag.json || isNumber(tag);
  if (!hasOwnForm) return { value: jsonOfBytes(bytes), codec };
  const value = tag === CodecTag.json ? parsed(bytes) : numberIn(bytes, tag);
  return value === undefined ? { bytes: jsonOfBytes(bytes), codec } : { value, codec };
}

const isNumber = (tag: number): boolean => tag === CodecTag.int32 || tag === CodecTag.float64;

/** @returns undefined for JSON that would be written differently, and for what is none */
function parsed(bytes: Buffer): unknown {
  try {
    const value = JSON.parse(bytes.toString()) as unknown;
    return bytes.equals(Buffer.from(JSON.stringify(value))) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** @returns undefined for what is no number of that codec, and for a NaN with something else in it */
function numberIn(bytes: Buffer, tag: number): number | string | undefined {
  try {
    const number = numberCodec(tag).decode(bytes, 0, bytes.length, tag);
    if (Object.is(number, -0)) return '-0';
    if (Number.isFinite(number)) return number;
    // Not the number itself: a NaN of V8's may have kept what else was in it.
    const word = String(number);
    return bytes.equals(numberCodec(tag).encode(Number(word)) as Buffer) ? word : undefined;
  } catch {
    return undefined;
  }
}

const numberCodec = (tag: number) => resolveCodec<number>(tag === CodecTag.int32 ? 'int32' : 'float64');

/** The inverse. @throws NotExactJson */
export function storedValueOf({ codec, value, bytes }: Readonly<Record<string, unknown>>): StoredValue {
  const tag = tagOf(codec);
  if ((value === undefined) === (bytes === undefined)) {
    throw new NotExactJson(`expected one of "value" and "bytes", got ${value === undefined ? 'neither' : 'both'}`);
  }
  if (value === undefined) return { tag, bytes: bytesOfJson(bytes, '"bytes"') };
  if (tag === CodecTag.json) return { tag, bytes: Buffer.from(JSON.stringify(value)) };
  if (isNumber(tag)) return { tag, bytes: bytesOfNumber(value, tag) };
  return { tag, bytes: bytesOfJson(value, `"value" of codec ${String(codec)}`) };
}

function tagOf(codec: unknown): number {
  if (typeof codec === 'string' && Object.hasOwn(CodecTag, codec)) return CodecTag[codec as CodecName];
  if (Number.isInteger(codec) && (codec as number) >= 0 && (codec as number) <= MAX_TAG) return codec as number;
  const names = Object.keys(CodecTag).join(', ');
  throw new NotExactJson(`"codec" must be one of ${names}, or a number up to ${MAX_TAG}, got ${shown(codec)}`);
}

function bytesOfNumber(value: unknown, tag: number): Buffer {
  const number = tag === CodecTag.float64 && SPECIAL_NUMBERS.includes(value) ? Number(value) : value;
  try {
    return numberCodec(tag).encode(number as number) as Buffer;
  } catch (cause) {
    const special = tag === CodecTag.int32 ? '' : ' or "NaN", "Infinity", "-Infinity", "-0"';
    const message = `"value" of codec ${codecNameOf(tag)} must be such a number${special}, got ${shown(value)}`;
    throw new NotExactJson(message, { cause });
  }
}

/** The inverse of jsonOfBytes(). @throws NotExactJson */
export function bytesOfJson(json: unknown, what: string): Buffer {
  if (typeof json === 'string') {
    if (json.isWellFormed()) return Buffer.from(json);
    throw new NotExactJson(
      `${what} has a lone surrogate, which no text in UTF-8 can have: give its bytes as {"base64": …}`,
    );
  }
  if (typeof json === 'object' && json !== null && 'base64' in json && Object.keys(json).length === 1) {
    const { base64 } = json;
    const bytes = typeof base64 === 'string' ? Buffer.from(base64, 'base64') : undefined;
    // Buffer.from() passes over what is none.
    if (bytes !== undefined && bytes.toString('base64') === base64) return bytes;
    throw new NotExactJson(`"base64" in ${what} must be Base64 with its padding (RFC 4648), got ${shown(base64)}`);
  }
  throw new NotExactJson(`${what} must be text or {"base64": …}, got ${shown(json)}`);
}

/** A moment as ISO 8601, or as the number that it is where no calendar has it. */
export const momentOf = (wallMs: number): string | number =>
  Math.abs(wallMs) <= MAX_DATE_MS ? new Date(wallMs).toISOString() : wallMs;

/** The inverse, in milliseconds since 1970. @throws NotExactJson */
export function wallMsOf(moment: unknown): number {
  const wallMs = typeof moment === 'string' ? Date.parse(moment) : moment;
  if (typeof wallMs === 'number' && wallMs >= 0) return wallMs;
  throw new NotExactJson(
    `"expiresAt" must be a date such as "2030-01-31T12:00:00.000Z" or milliseconds since 1970, got ${shown(moment)}`,
  );
}

/** Something of a line, for a message. */
export const shown = (value: unknown): string =>
  value === undefined ? 'nothing' : Array.isArray(value) ? 'an array' : kindOf(value);
