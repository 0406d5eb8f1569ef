/** CAS: replaces a value only while it has the expected version; 0 expects the key to be missing. */
import { Status } from '../errors.js';
import type { Operation } from './operation.js';
import { prepareEntry } from './prepare-entry.js';

export const cas: Operation<boolean> = {
  name: 'cas',
  opcode: 7,
  scope: 'key',
  apply(request, response, server) {
    const { store } = server;
    const granule = prepareEntry(request, response, server);
    if (granule === 0) return;
    const hash = store.map.hashOf(granule);
    let old = 0;
    let isSwapped = false;
    store.lock(hash);
    try {
      const found = store.findSameKey(hash, granule);
      isSwapped = (found === 0 ? 0 : store.map.versionOf(found)) === request.argument;
      if (isSwapped && request.keepsExpiry) store.map.inheritExpiry(granule, found);
      if (isSwapped) old = store.put(hash, granule);
    } finally {
      store.unlock(hash);
    }
    if (isSwapped) return store.recycle(old);
    store.discard(granule);
    response.status(Status.no);
  },
  decode: (response) => response.isOk,
};
