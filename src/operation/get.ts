/** GET: the value under a key, with its version. `exists` asks the same without the value. */
import { Status } from '../errors.js';
import { wallMsOfHost } from '../memory/clock.js';
import type { Operation } from './operation.js';
import { writeEntry } from './entry-response.js';

/** A value and the version it was written with; versions of one key never repeat. */
export interface VersionedValue<V> {
  value: V;
  version: number;
  /** When it expires, in milliseconds of the wall clock as it goes now; left out: never. */
  expiresAt?: number;
}

/** @param moment when it expires by hostMs(), 0: never */
export const versioned = <V>(value: V, version: number, moment: number): VersionedValue<V> =>
  moment === 0 ? { value, version } : { value, version, expiresAt: wallMsOfHost(moment) };

const apply: Operation['apply'] = (request, response, { store }) => {
  const hash = request.hash();
  store.lock(hash);
  try {
    const granule = store.find(hash, request.source, request.keyOffset, request.keyBytes);
    if (granule === 0) response.status(Status.no);
    else writeEntry(store, granule, response);
  } finally {
    store.unlock(hash);
  }
};

export const get: Operation = {
  name: 'get',
  opcode: 1,
  scope: 'key',
  apply,
  decode(response, codec) {
    if (!response.isOk) return undefined;
    return codec.decode(response.source, response.start, response.end, response.codec);
  },
};

/** The same request, answered with the version too. */
export const getEntry: Operation<VersionedValue<unknown> | undefined> = {
  ...get,
  decode(response, codec) {
    if (!response.isOk) return undefined;
    const value = codec.decode(response.source, response.start, response.end, response.codec);
    return versioned(value, response.version, response.number);
  },
};
