/** SQLite on tmpfs through better-sqlite3: write-ahead log, no sync. Node 20 has no SQLite of its own. */
import { join } from 'node:path';

import { ensurePackage, loadPackage, versionOf } from './packages.mjs';

/** @import { Peer, Store, Value } from './peer.mjs' */

/**
 * @typedef {object} Statement
 * @property {(...values: unknown[]) => unknown} run
 * @property {(...values: unknown[]) => unknown} get
 * @property {() => Statement} pluck
 */
/**
 * @typedef {object} Database
 * @property {(sql: string) => Statement} prepare
 * @property {(pragma: string) => unknown} pragma
 * @property {(sql: string) => unknown} exec
 * @property {<A extends unknown[]>(work: (...args: A) => void) => (...args: A) => void} transaction
 * @property {() => void} close
 */
/** @typedef {new (path: string, options?: object) => Database} SqlitePackage */

/** Rows up to here are kept in the index itself. */
const INLINE_BYTES = 1024;

/** @type {Peer} */
export const sqlite = {
  id: 'SQLite',
  note: 'better-sqlite3 on tmpfs; journal_mode = WAL, synchronous = OFF; mset is one transaction',
  isShared: true,

  async start(folder) {
    await ensurePackage('better-sqlite3');
    return { address: join(folder, 'sqlite.db'), pids: [], version: versionOf('better-sqlite3'), stop() {} };
  },

  async connect(address, _kind, load) {
    const Database = /** @type {SqlitePackage} */ (loadPackage('better-sqlite3'));
    const db = new Database(address, { timeout: 30_000 });
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = OFF');
    const suffix = load.valueBytes <= INLINE_BYTES ? 'WITHOUT ROWID' : '';
    db.exec(`CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value) ${suffix}`);
    return storeOf(db);
  },
};

/**
 * @param {Database} db
 * @returns {Store}
 */
function storeOf(db) {
  const read = db.prepare('SELECT value FROM entries WHERE key = ?').pluck();
  const write = db.prepare('INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value');
  const get = (/** @type {string} */ key) => /** @type {Value | undefined} */ (read.get(key));
  const set = (/** @type {string} */ key, /** @type {Value} */ value) => write.run(key, value);
  const setAll = db.transaction((/** @type {[string, Value][]} */ entries) => {
    for (const [key, value] of entries) write.run(key, value);
  });
  return {
    isPipelined: false,
    get,
    set,
    getSync: get,
    setSync: set,
    mget: (keys) => keys.map((key) => get(key)),
    mset: (entries) => setAll(entries),
    close: () => db.close(),
  };
}
