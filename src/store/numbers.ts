/** Entries for numbers that are not known before the stripe's lock is taken. */
import type { SegmentViews } from '../memory/segment.js';
import { EXPIRY_BYTES } from './entry-headers.js';
import type { Store } from './store.js';

/** Room for any number as text, or in binary. */
export const MAX_NUMBER_BYTES = 24;

/** Allocates an entry; its value comes by fillNumber(). With no lock held. @returns as Store.prepare() */
export function prepareNumber(
  store: Store,
  hash: number,
  key: SegmentViews,
  keyOffset: number,
  keyBytes: number,
): number {
  return store.prepare(hash, key, keyOffset, keyBytes, key, keyOffset, MAX_NUMBER_BYTES + EXPIRY_BYTES, 0);
}

/** Sets the value of a prepared number, and when it expires (hostMs()), 0: never. */
export function fillNumber(
  { map, data }: Store,
  granule: number,
  value: Buffer,
  valueBytes: number,
  codec: number,
  expiresAt: number,
): void {
  const keyBytes = map.keyBytesOf(granule);
  const start = map.keyOffsetOf(granule);
  // Before the moment takes the key's place.
  if (expiresAt !== 0) data.bytes.copyWithin(start + EXPIRY_BYTES, start, start + keyBytes);
  map.writeHeader(granule, map.hashOf(granule), keyBytes, valueBytes, codec, expiresAt);
  const offset = map.valueOffsetOf(granule);
  for (let i = 0; i < valueBytes; i++) data.bytes[offset + i] = value[i];
}
