/**
 * EXPIRE and PERSIST: give a key another moment at which it expires, or none. Entries never change once they are
 * published, so the value is copied: as for a SET of the same value, the version rises.
 */
import { Status } from '../errors.js';
import type { Store } from '../store/store.js';
import type { Operation } from './operation.js';
import type { RequestView } from './request-view.js';

/** Tries to allocate what is as large as the value, while others write other values. */
const MAX_TRIES = 64;

/** @returns bytes that the copy of the key's entry needs, 0: there is nothing to change */
function measure(request: RequestView, store: Store, hash: number, expires: boolean): number {
  store.lock(hash);
  try {
    const found = store.find(hash, request.source, request.keyOffset, request.keyBytes);
    const isChange = found !== 0 && (expires || store.map.expiresAtOf(found) !== 0);
    return isChange ? store.bytesOfCopy(found, expires) : 0;
  } finally {
    store.unlock(hash);
  }
}

/** @param expiresAt 0: never. @returns whether there was something to change, as a status */
function reschedule(request: RequestView, store: Store, expiresAt: number): number {
  const hash = request.hash();
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const bytes = measure(request, store, hash, expiresAt !== 0);
    if (bytes === 0) return Status.no;
    const admission = store.admit(bytes);
    if (admission !== Status.ok) return admission;
    const block = store.allocate(bytes);
    if (block === 0) return Status.outOfMemory;
    let old = 0;
    store.lock(hash);
    try {
      const found = store.find(hash, request.source, request.keyOffset, request.keyBytes);
      const isChange = found !== 0 && (expiresAt !== 0 || store.map.expiresAtOf(found) !== 0);
      if (isChange && store.copyEntry(found, block, expiresAt)) old = store.put(hash, block);
    } finally {
      store.unlock(hash);
    }
    if (old !== 0) {
      store.recycle(old);
      return Status.ok;
    }
    store.discard(block);
  }
  throw new Error(`a value changed its size ${MAX_TRIES} times while its expiry was to be changed`);
}

export const expire: Operation<boolean> = {
  name: 'expire',
  opcode: 17,
  scope: 'key',
  apply(request, response, { store }) {
    if (!(request.expiresAt > 0)) return response.status(Status.badRequest);
    response.status(reschedule(request, store, request.expiresAt));
  },
  decode: (response) => response.isOk,
};

export const persist: Operation<boolean> = {
  name: 'persist',
  opcode: 18,
  scope: 'key',
  apply(request, response, { store }) {
    response.status(reschedule(request, store, 0));
  },
  decode: (response) => response.isOk,
};
