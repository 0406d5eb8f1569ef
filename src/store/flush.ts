/** Removes entries by the bucket, one stripe's lock at a time. */
import { Status } from '../errors.js';
import type { Store } from './store.js';

/**
 * Removes every entry; goes on where a dead server was.
 * @returns Status.ok, or why it stopped (Store.admit())
 */
export function flushStore(store: Store): Status {
  for (let bucket = Math.max(0, store.done - 1); bucket < store.bucketCount; bucket++) {
    for (;;) {
      const status = store.admit(0);
      if (status !== Status.ok) return status;
      const granule = popEntry(store, bucket);
      if (granule === 0) break;
      store.retire(granule);
    }
  }
  return Status.ok;
}

function popEntry(store: Store, bucket: number): number {
  store.lock(bucket);
  try {
    return store.map.popFrom(bucket, bucket + 1);
  } finally {
    store.unlock(bucket);
  }
}
