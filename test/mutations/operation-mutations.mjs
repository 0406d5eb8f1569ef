/** Faults of operations, that a worker which is overtaken by another between its first look and the lock must show. */

/** @import { Mutation } from './mutations.mjs' */

const RACES = { test: 'operation/races' };

/** @type {readonly Mutation[]} */
export const OPERATION_MUTATIONS = [
  {
    ...RACES,
    file: 'operation/post.ts',
    name: 'post: the look without what follows decides',
    from: 'isTaken = store.findSameKey(hash, granule) !== 0;',
    to: 'store.findSameKey(hash, granule);',
  },
  {
    ...RACES,
    file: 'operation/post.ts',
    name: 'post: what it prepared for nothing is not given back',
    from: 'store.discard(granule);\n    response.status(Status.no);',
    to: 'response.status(Status.no);',
  },
  {
    ...RACES,
    file: 'operation/cas.ts',
    name: 'cas: any version of the key will do',
    from: '(found === 0 ? 0 : store.map.versionOf(found)) === request.argument;',
    to: '(found === 0) === (request.argument === 0);',
  },
  {
    ...RACES,
    file: 'operation/cas.ts',
    name: 'cas: what is there counts for nothing when none is expected',
    from: '(found === 0 ? 0 : store.map.versionOf(found)) === request.argument;',
    to: 'request.argument === 0 || store.map.versionOf(found) === request.argument;',
  },
  {
    ...RACES,
    file: 'operation/incr.ts',
    name: 'incr: adds to nothing',
    from: 'sum = value + by;',
    to: 'sum = by;',
  },
  {
    ...RACES,
    file: 'operation/set.ts',
    name: 'set: keeps an expiry of nothing',
    from: 'store.map.inheritExpiry(granule, found);',
    to: 'store.map.inheritExpiry(granule, found & 0);',
  },
  {
    ...RACES,
    file: 'operation/mset.ts',
    name: 'mset: keeps an expiry of nothing',
    from: 'store.map.inheritExpiry(block, found);',
    to: 'store.map.inheritExpiry(block, found & 0);',
  },
  {
    ...RACES,
    file: 'operation/expire.ts',
    name: 'expire: what is published holds another value',
    from: 'if (isChange && store.copyEntry(found, block, expiresAt)) old',
    to: 'store.copyEntry(found, block, expiresAt);\n      if (isChange) old',
  },
  {
    ...RACES,
    file: 'operation/expire.ts',
    name: 'expire: brings back what was removed',
    from: 'const isChange = found !== 0 && (expiresAt !== 0 || store.map.expiresAtOf(found) !== 0);\n      if',
    to: 'const isChange = expiresAt !== 0 || store.map.expiresAtOf(found) !== 0;\n      if',
  },
];
