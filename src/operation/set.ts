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
    const hash = request.hash();
    const granule = prepareEntry(request, response, server, hash);
    if (granule === 0) return;
    let old = 0;
    store.lock(hash);
    try {
      store.find(hash, request.source, request.keyOffset, request.keyBytes);
      old = store.put(hash, granule);
    } finally {
      store.unlock(hash);
    }
    store.retire(old);
    response.status(Status.ok);
  },
  decode: () => true,
};
