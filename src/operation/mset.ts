/** MSET: one hand-off for many SETs. Items take effect one after the other; the answer says how many did. */
import { Status } from '../errors.js';
import type { Operation } from './operation.js';

export const mset: Operation<number> = {
  name: 'mset',
  opcode: 13,
  scope: 'batch',
  apply(request, response, server) {
    const { store, batch } = server;
    let done = 0;
    batch.begin();
    for (let more = batch.next(); more !== 0; more = batch.next()) {
      if (more < 0 || batch.valueBytes > server.maxValueBytes) {
        response.status(more < 0 ? Status.badRequest : Status.tooLarge);
        break;
      }
      const { hash, keyOffset, keyBytes, valueOffset, valueBytes, codec } = batch;
      const { source } = request;
      const block = store.prepare(hash, source, keyOffset, keyBytes, source, valueOffset, valueBytes, codec);
      if (block === 0) {
        response.status(Status.outOfMemory);
        break;
      }
      let old = 0;
      store.lock(hash);
      try {
        store.find(hash, source, keyOffset, keyBytes);
        old = store.put(hash, block);
      } finally {
        store.unlock(hash);
      }
      store.retire(old);
      done++;
    }
    response.count(done);
  },
  decode: (response) => response.count,
};
