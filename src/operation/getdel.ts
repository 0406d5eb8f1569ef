/** GETDEL: removes a key and answers with the value it had. */
import { Status } from '../errors.js';
import { writeEntry } from './entry-response.js';
import { get } from './get.js';
import type { Operation } from './operation.js';

export const getdel: Operation = {
  name: 'getdel',
  opcode: 6,
  scope: 'key',
  apply(request, response, { store }) {
    const admission = store.admit(0);
    if (admission !== Status.ok) return response.status(admission);
    const hash = request.hash();
    let old = 0;
    store.lock(hash);
    try {
      const granule = store.find(hash, request.source, request.keyOffset, request.keyBytes);
      if (granule === 0) response.status(Status.no);
      // Room for the answer comes first: without it nothing is removed.
      else if (writeEntry(store, granule, response)) old = store.remove(hash);
    } finally {
      store.unlock(hash);
    }
    store.retire(old);
  },
  decode: (response, codec) => get.decode(response, codec),
};
