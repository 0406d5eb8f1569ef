/**
 * Value codecs: how a client's values become bytes. Every stored value carries the tag of the codec that wrote it, so
 * that another codec gives a clear error or the bytes, never garbage.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { isUint8Array } from 'node:util/types';

import { kindOf, KvsError } from '../errors.js';
import { copyOf } from './copy.js';
import { steady } from './given-bytes.js';
import { ASCII_FLAG, checkText, readText } from './text.js';

/** Tags stored with values. Part of the layout: numbers never change their meaning. */
export const CodecTag = { buffer: 0, utf8: 1, json: 2, int32: 3, float64: 4, custom: 5 } as const;
const TAG_MASK = 0x0f;
const TAG_NAMES = ['buffer', 'utf8', 'json', 'int32', 'float64', 'custom'];

/** A codec of the user's own. `decode` gets a private copy of the bytes. */
export interface CustomCodec<T> {
  encode(value: T): Uint8Array | string;
  decode(bytes: Buffer): T;
}

/** What the client works with: `encode` gives text (written as UTF-8) or bytes; `decode` reads shared bytes in place. */
export interface Codec<T> {
  readonly tag: number;
  /** Whether it reads what any codec wrote. Default false: see canRead(). */
  readonly readsAll?: boolean;
  /** Whether it runs code of the user's, which may do anything, calls of the same client included. Default false. */
  readonly isForeign?: boolean;
  encode(value: T): string | Uint8Array;
  /** @throws KvsError ERR_KVS_CODEC when the tag is of another codec */
  decode(source: Buffer, start: number, end: number, tag: number): T;
}

/** The built-in codecs and the types of their values. */
export interface CodecTypes {
  utf8: string;
  buffer: Buffer;
  json: unknown;
  int32: number;
  float64: number;
}
export type CodecName = keyof CodecTypes;

/** The built-in codec a tag names, for tools that show any value. @returns undefined for tags of nobody's */
export const codecNameOf = (tag: number): string | undefined => TAG_NAMES[tag & TAG_MASK];

export const withoutFlags = (tag: number): number => tag & TAG_MASK;

function mismatch(tag: number, expected: string): KvsError {
  const found = codecNameOf(tag) ?? `unknown (${tag})`;
  const advice =
    found in BUILT_IN ? `connect with codec '${found}', or 'buffer' for the bytes` : "read it with codec 'buffer'";
  return new KvsError(
    'ERR_KVS_CODEC',
    `the value was written by codec ${found}, this client reads ${expected}: ${advice}`,
  );
}

/** Whether the codec of a tag reads these bytes, written by that of another; what a user's own codec throws is not known. */
export function canRead(reader: number, source: Buffer, start: number, end: number, writer: number): boolean {
  const own = withoutFlags(reader);
  const found = withoutFlags(writer);
  return own === found || (own === CodecTag.utf8 && found === CodecTag.buffer && isUtf8(source.subarray(start, end)));
}

const fatalUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const utf8: Codec<string> = {
  tag: CodecTag.utf8,
  encode(value) {
    if (typeof value !== 'string') throw new TypeError(`codec utf8 takes a string, got ${kindOf(value)}`);
    checkText(value, 'value');
    return value;
  },
  decode(source, start, end, tag) {
    const writer = withoutFlags(tag);
    if (writer === CodecTag.utf8) return readText(source, start, end, (tag & ASCII_FLAG) !== 0);
    if (writer !== CodecTag.buffer) throw mismatch(tag, 'utf8');
    // Raw bytes (of a shell, say) are text only if they are valid UTF-8.
    try {
      return fatalUtf8.decode(copyOf(source, start, end));
    } catch (cause) {
      const message = "the value was written as raw bytes that are not UTF-8: read it with codec 'buffer'";
      throw new KvsError('ERR_KVS_CODEC', message, { cause });
    }
  },
};

const buffer: Codec<Buffer> = {
  tag: CodecTag.buffer,
  readsAll: true,
  encode(value) {
    if (!isUint8Array(value)) throw new TypeError(`codec buffer takes a Uint8Array, got ${kindOf(value)}`);
    return steady(value, 'value');
  },
  decode: (source, start, end) => copyOf(source, start, end),
};

const json: Codec<unknown> = {
  tag: CodecTag.json,
  encode(value) {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`codec json takes what JSON can say, got ${kindOf(value)}`);
    // JSON.stringify escapes lone surrogates: the text is always well-formed.
    return text;
  },
  decode(source, start, end, tag) {
    if (withoutFlags(tag) !== CodecTag.json) throw mismatch(tag, 'json');
    try {
      return JSON.parse(readText(source, start, end, (tag & ASCII_FLAG) !== 0)) as unknown;
    } catch (cause) {
      throw new KvsError('ERR_KVS_CODEC', 'the value is marked as JSON but does not parse', { cause });
    }
  },
};

/** For callers who share what was parsed: frozen through and through, however it was read. */
const frozenJson: Codec<unknown> = {
  ...json,
  decode(source, start, end, tag) {
    const value = json.decode(source, start, end, tag);
    freeze(value);
    return value;
  },
};

/** Of what was just parsed: nothing of it is frozen, or there twice. Without recursion: it may be deeper than the stack is. */
function freeze(value: unknown): void {
  const parts = [value];
  while (parts.length > 0) {
    const part = parts.pop();
    if (typeof part !== 'object' || part === null) continue;
    Object.freeze(part);
    for (const inner of Object.values(part)) if (typeof inner === 'object') parts.push(inner);
  }
}

function numberCodec(tag: number, name: string, bytes: number, check: (value: number) => boolean): Codec<number> {
  return {
    tag,
    encode(value) {
      if (typeof value !== 'number' || !check(value))
        throw new TypeError(`codec ${name} takes ${name}, got ${kindOf(value)}`);
      const encoded = Buffer.allocUnsafe(bytes);
      if (bytes === 4) encoded.writeInt32LE(value);
      else encoded.writeDoubleLE(value);
      return encoded;
    },
    decode(source, start, end, found) {
      if (withoutFlags(found) !== tag) throw mismatch(found, name);
      if (end - start !== bytes) {
        const message = `the value is marked as ${name} but has ${end - start} bytes instead of ${bytes}`;
        throw new KvsError('ERR_KVS_CODEC', message);
      }
      return bytes === 4 ? source.readInt32LE(start) : source.readDoubleLE(start);
    },
  };
}

const BUILT_IN: { readonly [Name in CodecName]: Codec<CodecTypes[Name]> } = {
  utf8,
  buffer,
  json,
  int32: numberCodec(CodecTag.int32, 'int32', 4, (value) => Number.isInteger(value) && (value | 0) === value),
  float64: numberCodec(CodecTag.float64, 'float64', 8, () => true),
};

function customCodec<T>(codec: CustomCodec<T>): Codec<T> {
  return {
    tag: CodecTag.custom,
    isForeign: true,
    encode(value) {
      const encoded = codec.encode(value);
      if (isUint8Array(encoded)) return steady(encoded, 'encoded value');
      if (typeof encoded !== 'string') {
        throw new TypeError(`encode of a custom codec returns a string or a Uint8Array, got ${kindOf(encoded)}`);
      }
      checkText(encoded, 'encoded value');
      return encoded;
    },
    decode(source, start, end, tag) {
      if (withoutFlags(tag) !== CodecTag.custom) throw mismatch(tag, 'custom');
      return codec.decode(copyOf(source, start, end));
    },
  };
}

/** A value as it is stored: its bytes, and the tag of the codec that wrote them. */
export interface StoredValue {
  readonly bytes: Buffer;
  readonly tag: number;
}

/** For tools that show and write any value, not for the public: reads what is stored, writes bytes under one tag. */
export class StoredValueCodec implements Codec<StoredValue>, CustomCodec<StoredValue> {
  readonly tag: number;
  readonly readsAll = true;

  constructor(tag: number) {
    this.tag = tag;
  }

  /** The bytes must be what the codec of the tag would have written. ASCII is handed over as text, and marked as such. */
  encode({ bytes }: StoredValue): Uint8Array | string {
    const isText = this.tag === CodecTag.utf8 || this.tag === CodecTag.json;
    return isText && isAscii(bytes) ? bytes.latin1Slice() : bytes;
  }

  decode(source: Buffer, start = 0, end = source.length, tag: number = CodecTag.buffer): StoredValue {
    return { bytes: copyOf(source, start, end), tag: withoutFlags(tag) };
  }
}

/**
 * @param isShared whether several callers get one object: it is frozen then
 * @throws TypeError for what is neither a built-in name nor an { encode, decode } pair
 */
export function resolveCodec<T>(codec: CodecName | CustomCodec<T>, isShared = false): Codec<T> {
  if (codec === 'json' && isShared) return frozenJson as Codec<T>;
  if (codec instanceof StoredValueCodec) return codec as unknown as Codec<T>;
  if (typeof codec === 'string' && Object.hasOwn(BUILT_IN, codec)) return BUILT_IN[codec] as unknown as Codec<T>;
  if (typeof codec === 'object' && typeof codec?.encode === 'function' && typeof codec.decode === 'function') {
    return customCodec(codec);
  }
  const names = Object.keys(BUILT_IN).join(', ');
  throw new TypeError(`codec must be one of ${names} or { encode, decode }, got ${kindOf(codec)}`);
}
