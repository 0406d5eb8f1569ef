/**
 * SCAN: the keys with a prefix, from a cursor on, some whole buckets at a time. A key lives in one bucket as long as it
 * is present, so walking all buckets once meets each key that stays exactly once.
 */
import { pad4 } from '../alignment.js';
import { SCAN_HEADER_BYTES } from '../codec/batch.js';
import { Status } from '../errors.js';
import { copyBytes } from '../memory/copy.js';
import type { Store } from '../store/store.js';
import type { Operation } from './operation.js';
import type { RequestView } from './request-view.js';
import type { Scratch } from './scratch.js';

/** Bounds the work of one request. */
const MAX_BUCKETS = 4096;
const ENOUGH_BYTES = 16 * 1024;

export interface ScanPage {
  keys: Buffer[];
  /** Where to go on, -1 at the end. */
  cursor: number;
}

function hasPrefix(store: Store, granule: number, request: RequestView): boolean {
  if (store.map.keyBytesOf(granule) < request.valueBytes) return false;
  const { bytes } = request.source;
  return store.keyStartsWith(granule, bytes, request.valueOffset, request.valueBytes);
}

/** @returns bytes written behind `used`; -1 when the bucket does not fit any more */
function scanBucket(store: Store, bucket: number, request: RequestView, scratch: Scratch, used: number): number {
  let end = used;
  let fits = true;
  store.lock(bucket);
  try {
    store.map.visitBucket(bucket, (granule) => {
      if (!fits || store.map.isExpired(granule) || !hasPrefix(store, granule, request)) return;
      const keyBytes = store.map.keyBytesOf(granule);
      const needed = SCAN_HEADER_BYTES + pad4(keyBytes);
      fits = scratch.reserve(end, needed);
      if (!fits) return;
      scratch.views.words[end / 4] = keyBytes;
      store.copyKey(granule, scratch.views, end + SCAN_HEADER_BYTES);
      end += needed;
    });
  } finally {
    store.unlock(bucket);
  }
  return fits ? end - used : -1;
}

export const scan: Operation<ScanPage> = {
  name: 'scan',
  opcode: 16,
  scope: 'all',
  apply(request, response, { store, scratch }) {
    let bucket = request.argument;
    if (!Number.isInteger(bucket) || bucket < 0) return response.status(Status.badRequest);
    const end = Math.min(store.bucketCount, bucket + MAX_BUCKETS);
    let used = 0;
    for (; bucket < end && used < ENOUGH_BYTES; bucket++) {
      const written = scanBucket(store, bucket, request, scratch, used);
      if (written < 0) break;
      used += written;
    }
    if (!response.reserve(used)) return;
    copyBytes(scratch.views, 0, response.target, response.offset, used);
    response.number(bucket >= store.bucketCount ? -1 : bucket);
  },
  decode(response) {
    const keys: Buffer[] = [];
    for (let offset = response.start; offset + SCAN_HEADER_BYTES <= response.end;) {
      const bytes = response.source.readUInt16LE(offset);
      const start = offset + SCAN_HEADER_BYTES;
      keys.push(Buffer.from(response.source.subarray(start, Math.min(start + bytes, response.end))));
      offset = start + pad4(bytes);
    }
    return { keys, cursor: response.number };
  },
};
