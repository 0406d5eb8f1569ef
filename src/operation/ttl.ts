/** TTL: how long a key has left. */
import { Status } from '../errors.js';
import { hostMs } from '../memory/clock.js';
import type { Operation } from './operation.js';

/**
 * @param moment when a key expires by hostMs(), 0: never
 * @returns whole milliseconds that it has left, null: it does not expire, undefined: it just has
 */
export function remainingMs(moment: number): number | null | undefined {
  if (moment === 0) return null;
  const left = Math.ceil(moment - hostMs());
  return left > 0 ? left : undefined;
}

export const ttl: Operation<number | null | undefined> = {
  name: 'ttl',
  opcode: 19,
  scope: 'key',
  apply(request, response, { store }) {
    const hash = request.hash();
    store.lock(hash);
    try {
      const granule = store.find(hash, request.source, request.keyOffset, request.keyBytes);
      if (granule === 0) response.status(Status.no);
      else response.number(store.map.expiresAtOf(granule));
    } finally {
      store.unlock(hash);
    }
  },
  decode: (response) => (response.isOk ? remainingMs(response.number) : undefined),
};
