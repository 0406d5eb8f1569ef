/** All operations, by opcode. */
import { MAX_OPERATIONS } from '../memory/layout.js';
import { cas } from './cas.js';
import { del } from './del.js';
import { exists } from './exists.js';
import { expire, persist } from './expire.js';
import { flush } from './flush.js';
import { get } from './get.js';
import { getdel } from './getdel.js';
import { incr } from './incr.js';
import { mdel } from './mdel.js';
import { mget } from './mget.js';
import { mset } from './mset.js';
import type { Operation } from './operation.js';
import { ping } from './ping.js';
import { post } from './post.js';
import { scan } from './scan.js';
import { set } from './set.js';
import { size } from './size.js';
import { snapshot } from './snapshot.js';
import { stats } from './stats.js';
import { ttl } from './ttl.js';

const ALL: readonly Operation<unknown, never>[] = [
  get,
  set,
  post,
  del,
  exists,
  getdel,
  cas,
  incr,
  size,
  ping,
  flush,
  stats,
  mset,
  mget,
  mdel,
  scan,
  snapshot,
  expire,
  persist,
  ttl,
];

/** Sparse below MAX_OPERATIONS. */
export const OPERATIONS: readonly (Operation<unknown, never> | undefined)[] = (() => {
  const table = Array.from<Operation<unknown, never> | undefined>({ length: MAX_OPERATIONS });
  for (const operation of ALL) {
    if (table[operation.opcode] !== undefined) throw new Error(`opcode ${operation.opcode} is taken twice`);
    table[operation.opcode] = operation;
  }
  return table;
})();
