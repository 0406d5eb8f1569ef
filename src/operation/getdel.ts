/**
 * GETDEL: removes a key and answers with the value it had. What its client could not read stays: it would be lost.
 */
import { canRead } from '../codec/codec.js';
import { Status } from '../errors.js';
import { writeEntry } from './entry-response.js';
import { get } from './get.js';
import type { Store } from '../store/store.js';
import type { Operation } from './operation.js';
import type { RequestView } from './request-view.js';

/** As the argument: only what the request's codec reads. 0: whatever it is. */
export const READABLE = 1;

function isWanted({ argument, codec }: RequestView, { map, data }: Store, granule: number): boolean {
  if (argument !== READABLE) return true;
  const start = map.valueOffsetOf(granule);
  return canRead(codec, data.bytes, start, start + map.valueBytesOf(granule), map.codecOf(granule));
}

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
      else if (!isWanted(request, store, granule)) response.status(Status.otherCodec);
      // Room for the answer comes first: without it nothing is removed.
      else if (writeEntry(store, granule, response)) old = store.remove(hash);
    } finally {
      store.unlock(hash);
    }
    store.retire(old);
  },
  decode: (response, codec) => get.decode(response, codec),
};
