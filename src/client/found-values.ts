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
  if (!isPlain(value)) return false;
  freeze(value);
  return true;
}

// Both without recursion: JSON may be nested more deeply than the stack is.

function isPlain(value: unknown): boolean {
  const parts = new Set([value]);
  for (const part of parts) {
    if (typeof part === 'function') return false;
    if (typeof part !== 'object' || part === null) continue;
    const prototype: unknown = Object.getPrototypeOf(part);
    if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) return false;
    for (const inner of Object.values(part)) {
      if (typeof inner === 'object' || typeof inner === 'function') parts.add(inner);
    }
  }
  return true;
}

function freeze(value: unknown): void {
  const parts = [value];
  while (parts.length > 0) {
    const part = parts.pop();
    if (typeof part !== 'object' || part === null || Object.isFrozen(part)) continue;
    Object.freeze(part);
    for (const inner of Object.values(part)) if (typeof inner === 'object') parts.push(inner);
  }
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
