/** POST: inserts, only if the key is missing (or has expired). Of any number of concurrent POSTs to a key exactly one wins. */
import { Status } from '../errors.js';
import { isPresent } from './exists.js';
import type { Operation } from './operation.js';
import { prepareEntry } from './prepare-entry.js';

export const post: Operation<boolean> = {
  name: 'post',
  opcode: 3,
  scope: 'key',
  apply(request, response, server) {
    const { store } = server;
    // A first look saves the copy where the key is taken; the one under the lock below decides.
    if (isPresent(request, store, request.hash())) return response.status(Status.no);
    const granule = prepareEntry(request, response, server);
    if (granule === 0) return;
    const hash = store.map.hashOf(granule);
    let isTaken = false;
    let old = 0;
    store.lock(hash);
    try {
      isTaken = store.findSameKey(hash, granule) !== 0;
      if (!isTaken && request.keepsExpiry) store.map.inheritExpiry(granule, 0);
      // One that has expired may still be there.
      if (!isTaken) old = store.put(hash, granule);
    } finally {
      store.unlock(hash);
    }
    if (!isTaken) return store.recycle(old);
    store.discard(granule);
    response.status(Status.no);
  },
  decode: (response) => response.isOk,
};
