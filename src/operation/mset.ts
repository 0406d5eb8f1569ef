/** MSET: one hand-off for many SETs. Items take effect one after the other; the answer says how many did. */
import { Status } from '../errors.js';
import type { Operation } from './operation.js';
import { hashPrepared } from './prepare-entry.js';

export const mset: Operation<number> = {
  name: 'mset',
  opcode: 13,
  scope: 'batch',
  apply(request, response, server) {
    const { store, batch } = server;
    let done = store.done;
    batch.begin(done);
    for (let more = batch.next(); more !== 0; more = batch.next()) {
      if (more < 0 || batch.valueBytes > server.maxValueBytes) {
        response.status(more < 0 ? Status.badRequest : Status.tooLarge);
        break;
      }
      const { keyOffset, keyBytes, valueOffset, valueBytes, codec } = batch;
      const { source, expiresAt } = request;
      const block = store.prepare(0, source, keyOffset, keyBytes, source, valueOffset, valueBytes, codec, expiresAt);
      if (block === 0) {
        response.status(Status.outOfMemory);
        break;
      }
      const hash = hashPrepared(request, store, block);
      let old = 0;
      store.lock(hash);
      try {
        const found = store.findSameKey(hash, block);
        if (request.keepsExpiry) store.map.inheritExpiry(block, found);
        old = store.put(hash, block, done + 1);
      } finally {
        store.unlock(hash);
      }
      store.recycle(old);
      done++;
    }
    response.count(done);
  },
  decode: (response) => response.count,
};
