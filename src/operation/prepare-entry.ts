/** Copies the key and value of a request into a block of the heap, before any lock is taken. */
import { Status } from '../errors.js';
import type { RequestView } from './request-view.js';
import type { ResponseWriter } from './response-writer.js';
import type { ServerContext } from './server-context.js';

/** @returns the block, 0 when there is none: the response says why */
export function prepareEntry(
  request: RequestView,
  response: ResponseWriter,
  { store, maxValueBytes }: ServerContext,
  hash: number,
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
  const { source, keyOffset, keyBytes, valueOffset, valueBytes, codec } = request;
  const granule = store.prepare(hash, source, keyOffset, keyBytes, source, valueOffset, valueBytes, codec);
  if (granule === 0) response.status(Status.outOfMemory);
  return granule;
}
