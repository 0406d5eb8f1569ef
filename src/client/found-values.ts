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

/** Freezes what callers can share, plain objects, arrays and what cannot change. @returns false: it is something else */
export function share(value: unknown): boolean {
  const parts = plainParts(value);
  if (parts === undefined) return false;
  for (const part of parts) Object.freeze(part);
  return true;
}

/**
 * Without recursion: values may be nested more deeply than the stack is.
 * @returns the objects and arrays that a value consists of, undefined: something of it is neither, or computed
 */
function plainParts(value: unknown): Set<object> | undefined {
  if (typeof value === 'function') return undefined;
  const parts = new Set<object>();
  if (typeof value === 'object' && value !== null) parts.add(value);
  for (const part of parts) {
    const prototype: unknown = Object.getPrototypeOf(part);
    if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) return undefined;
    for (const property of Reflect.ownKeys(part)) {
      const descriptor = Object.getOwnPropertyDescriptor(part, property);
      if (descriptor === undefined || !('value' in descriptor)) return undefined;
      const inner: unknown = descriptor.value;
      if (typeof inner === 'function') return undefined;
      if (typeof inner === 'object' && inner !== null) parts.add(inner);
    }
  }
  return parts;
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
