/** SET: inserts or replaces. */
import { Status } from '../errors.js';
import type { Operation } from './operation.js';
import { prepareEntry } from './prepare-entry.js';

export const set: Operation<true> = {
  name: 'set',
  opcode: 2,
  scope: 'key',
  apply(request, response, server) {
    const { store } = server;
    const granule = prepareEntry(request, response, server);
    if (granule === 0) return;
    const hash = store.map.hashOf(granule);
    let old = 0;
    store.lock(hash);
    try {
      const found = store.findSameKey(hash, granule);
      if (request.keepsExpiry) store.map.inheritExpiry(granule, found);
      old = store.put(hash, granule);
    } finally {
      store.unlock(hash);
    }
    store.recycle(old);
    response.status(Status.ok);
  },
  decode: () => true,
};
