/** DEL: removes a key. */
import { Status } from '../errors.js';
import type { Operation } from './operation.js';

export const del: Operation<boolean> = {
  name: 'del',
  opcode: 4,
  scope: 'key',
  apply(request, response, { store }) {
    const admission = store.admit(0);
    if (admission !== Status.ok) return response.status(admission);
    const hash = request.hash();
    let old = 0;
    store.lock(hash);
    try {
      if (store.find(hash, request.source, request.keyOffset, request.keyBytes) !== 0) old = store.remove(hash);
    } finally {
      store.unlock(hash);
    }
    if (old === 0) response.status(Status.no);
    store.retire(old);
  },
  decode: (response) => response.isOk,
};
