/** MDEL: one hand-off for many DELs. */
import { Status } from '../errors.js';
import type { Operation } from './operation.js';

/** @returns how many keys were present and are now removed */
export const mdel: Operation<number> = {
  name: 'mdel',
  opcode: 15,
  scope: 'batch',
  apply(request, response, { store, batch }) {
    let deleted = store.effects;
    let done = store.done;
    batch.begin(done);
    for (let more = batch.next(); more !== 0; more = batch.next()) {
      if (more < 0) return response.status(Status.badRequest);
      const admission = store.admit(0);
      if (admission !== Status.ok) return response.status(admission);
      const hash = batch.hash();
      done++;
      let old = 0;
      store.lock(hash);
      try {
        const granule = store.find(hash, request.source, batch.keyOffset, batch.keyBytes);
        if (granule !== 0) old = store.remove(hash, done);
      } finally {
        store.unlock(hash);
      }
      store.retire(old);
      if (old !== 0) deleted++;
    }
    response.number(deleted);
  },
  decode: (response) => response.number,
};
