/**
 * lmdb on tmpfs without sync, in two modes. Coherent: the read transaction is renewed before each get, so that what
 * other processes wrote is seen, and writes are synchronous. Default: reads see the state of the start of the event
 * loop's turn, and writes are batched by a thread.
 */
import { join } from 'node:path';

import { ensurePackage, loadPackage, versionOf } from './packages.mjs';

/** @import { Kind, Load, Peer, Value } from './peer.mjs' */

/**
 * @typedef {object} Database
 * @property {(key: string) => Value | undefined} get
 * @property {(key: string, value: Value) => Promise<unknown>} put
 * @property {(key: string, value: Value) => unknown} putSync
 * @property {(work: () => void) => unknown} transactionSync
 * @property {() => void} resetReadTxn
 * @property {() => Promise<void>} close
 */
/** @typedef {{ open(options: object): Database }} LmdbPackage */

const MIB = 2 ** 20;

/**
 * @param {string} address
 * @param {Kind} kind
 * @param {Load} load
 */
function open(address, kind, load) {
  const lmdb = /** @type {LmdbPackage} */ (loadPackage('lmdb'));
  const mapSize = Math.max(512 * MIB, 4 * load.keyCount * (load.valueBytes + 128));
  return lmdb.open({ path: address, noSync: true, mapSize, encoding: kind === 'string' ? 'string' : 'binary' });
}

/** @param {string} fileName */
function startIn(fileName) {
  return async (/** @type {string} */ folder) => {
    await ensurePackage('lmdb');
    return { address: join(folder, fileName), pids: [], version: versionOf('lmdb'), stop() {} };
  };
}

/** @type {Peer} */
export const lmdbCoherent = {
  id: 'lmdb, coherent',
  note: 'tmpfs, noSync; resetReadTxn() before each get; putSync; mset is one transactionSync',
  isShared: true,
  start: startIn('coherent'),

  async connect(address, kind, load) {
    const db = open(address, kind, load);
    const get = (/** @type {string} */ key) => {
      db.resetReadTxn();
      return db.get(key);
    };
    const set = (/** @type {string} */ key, /** @type {Value} */ value) => db.putSync(key, value);
    return {
      isPipelined: false,
      get,
      set,
      getSync: get,
      setSync: set,
      mget(keys) {
        db.resetReadTxn();
        return keys.map((key) => db.get(key));
      },
      mset: (entries) =>
        db.transactionSync(() => {
          for (const [key, value] of entries) void db.put(key, value);
        }),
      close: async () => db.close(),
    };
  },
};

/** @type {Peer} */
export const lmdbDefault = {
  id: 'lmdb, default',
  note: 'tmpfs, noSync; a read may miss what others wrote since the turn began; awaited writes are batched by a thread',
  isShared: true,
  start: startIn('default'),

  async connect(address, kind, load) {
    const db = open(address, kind, load);
    return {
      isPipelined: true,
      get: (key) => db.get(key),
      set: async (key, value) => db.put(key, value),
      getSync: (key) => db.get(key),
      setSync: (key, value) => db.putSync(key, value),
      mget: (keys) => keys.map((key) => db.get(key)),
      mset: async (entries) => Promise.all(entries.map(async ([key, value]) => db.put(key, value))),
      close: async () => db.close(),
    };
  },
};
