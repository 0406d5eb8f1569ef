/** Copies the key and value of a request into a block of the heap, before any lock is taken. */
import { Status } from '../errors.js';
import type { Store } from '../store/store.js';
import type { RequestView } from './request-view.js';
import type { ResponseWriter } from './response-writer.js';
import type { ServerContext } from './server-context.js';

/** @returns the block, 0 when there is none: the response says why */
export function prepareEntry(
  request: RequestView,
  response: ResponseWriter,
  { store, maxValueBytes }: ServerContext,
): number {
  // Clients refuse it before they ask; nobody could delete it.
  if (request.keyBytes === 0) {
    response.status(Status.badRequest);
    return 0;
  }
  if (request.valueBytes > maxValueBytes) {
    response.status(Status.tooLarge);
    return 0;
  }
  const { source, keyOffset, keyBytes, valueOffset, valueBytes, codec, expiresAt } = request;
  const granule = store.prepare(0, source, keyOffset, keyBytes, source, valueOffset, valueBytes, codec, expiresAt);
  if (granule === 0) response.status(Status.outOfMemory);
  else hashPrepared(request, store, granule);
  return granule;
}

/**
 * Hashes the copy of the key: the request may say something else by now, and an entry under another key's hash could
 * neither be found nor deleted, though listed. @returns the hash
 */
export function hashPrepared(request: RequestView, { map, data }: Store, granule: number): number {
  const hash = request.hash(map.keyOffsetOf(granule), map.keyBytesOf(granule), data);
  map.setHash(granule, hash);
  return hash;
}
