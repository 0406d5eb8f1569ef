/** EXISTS: whether a key is present. */
import { Status } from '../errors.js';
import type { Store } from '../store/store.js';
import type { Operation } from './operation.js';
import type { RequestView } from './request-view.js';

export function isPresent(request: RequestView, store: Store, hash: number): boolean {
  store.lock(hash);
  try {
    return store.find(hash, request.source, request.keyOffset, request.keyBytes) !== 0;
  } finally {
    store.unlock(hash);
  }
}

export const exists: Operation<boolean> = {
  name: 'exists',
  opcode: 5,
  scope: 'key',
  apply(request, response, { store }) {
    if (!isPresent(request, store, request.hash())) response.status(Status.no);
  },
  decode: (response) => response.isOk,
};
