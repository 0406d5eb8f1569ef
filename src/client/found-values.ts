/**
 * What is made of an entry that the reader has found; true only if the reader says afterwards that it is still there.
 */
import type { Codec } from '../codec/codec.js';
import { copyOf } from '../codec/copy.js';
import { versioned, type VersionedValue } from '../operation/get.js';
import type { Reader } from '../store/reader.js';
import type { FoundValue } from './value-cache.js';

export const decoded = <V>({ value, bytes, tag }: StoredBytes, codec: Codec<V>): V =>
  codec.decode(value, 0, bytes, tag);

export function valueOf<V>(reader: Reader, codec: Codec<V>): V {
  return codec.decode(reader.bytes, reader.start, reader.end, reader.codec);
}

export function frozenValueOf<V>(reader: Reader, codec: Codec<V>): V {
  const value = valueOf(reader, codec);
  freeze(value);
  return value;
}

/** Freezes what callers can share, plain objects, arrays and what cannot change. @returns false: it is something else */
export function share(value: unknown): boolean {
  if (!isPlain(value, new Set())) return false;
  freeze(value);
  return true;
}

function isPlain(value: unknown, seen: Set<object>): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function';
  if (seen.has(value)) return true;
  seen.add(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  const isOne = prototype === Object.prototype || prototype === Array.prototype || prototype === null;
  return isOne && Object.values(value).every((part) => isPlain(part, seen));
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part);
}

export type StoredBytes = FoundValue<Buffer> & { readonly tag: number };

export function storedOf(reader: Reader): StoredBytes {
  const { bucketWord, entryWord, version, expiresAt, start, end, codec: tag } = reader;
  return {
    bucketWord,
    entryWord,
    version,
    expiresAt,
    bytes: end - start,
    tag,
    value: copyOf(reader.bytes, start, end),
  };
}

export function entryOf<V>(reader: Reader, codec: Codec<V>): VersionedValue<V> {
  return versioned(valueOf(reader, codec), reader.version, reader.expiresAt);
}
