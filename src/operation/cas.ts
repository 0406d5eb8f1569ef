/** CAS: replaces a value only while it has the expected version; 0 expects the key to be missing. */
import { Status } from '../errors.js';
import type { Operation } from './operation.js';
import { prepareEntry } from './prepare-entry.js';
import type { RequestView } from './request-view.js';
import type { Store } from '../store/store.js';

/** Under the lock. @returns whether the key is at the version that the request expects */
function isAtVersion(request: RequestView, store: Store, hash: number): boolean {
  const granule = store.find(hash, request.source, request.keyOffset, request.keyBytes);
  return (granule === 0 ? 0 : store.map.versionOf(granule)) === request.argument;
}

export const cas: Operation<boolean> = {
  name: 'cas',
  opcode: 7,
  scope: 'key',
  apply(request, response, server) {
    const { store } = server;
    const hash = request.hash();
    const granule = prepareEntry(request, response, server, hash);
    if (granule === 0) return;
    let old = 0;
    let isSwapped = false;
    store.lock(hash);
    try {
      isSwapped = isAtVersion(request, store, hash);
      if (isSwapped) old = store.put(hash, granule);
    } finally {
      store.unlock(hash);
    }
    if (isSwapped) return store.retire(old);
    store.discard(granule);
    response.status(Status.no);
  },
  decode: (response) => response.isOk,
};
