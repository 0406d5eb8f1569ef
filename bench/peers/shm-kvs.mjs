/** shm-kvs itself: one server process, clients over its public API. */
import { KvsClient, VERSION } from 'shm-kvs';

import { startOwnServer, stopProcess } from './processes.mjs';

/** @import { KvsClientOptions, KvsServerOptions } from 'shm-kvs' */
/** @import { Kind, Load, Peer, Started, Store, Value, View } from './peer.mjs' */

const MIB = 2 ** 20;
let lastNumber = 0;

/** @type {Peer} */
export const shmKvs = {
  id: 'shm-kvs',
  note: 'this package; default options but for memory; blocking calls are getSync and setSync',
  isShared: true,

  start: async (_folder, load) => startShmKvs(load),

  connect: async (address, kind) => connectShmKvs(address, kind),
};

/** @param {string} address @param {Kind} kind @param {Partial<KvsClientOptions>} [more] @returns {Promise<Store>} */
export async function connectShmKvs(address, kind, more) {
  return storeOf(await KvsClient.connect({ name: address, timeoutMs: 60_000, codec: codecOf(kind), ...more }));
}

/** @param {Load} load @param {Partial<KvsServerOptions>} [more] @returns {Promise<Started>} */
export async function startShmKvs(load, more) {
  const name = `bench-${process.pid}-${++lastNumber}`;
  const options = { name, maxMemory: load.memoryBytes ?? memoryFor(load), workers: load.workers, ...more };
  const child = await startOwnServer(['shm-kvs', JSON.stringify(options)]);
  return { address: name, pids: [child.pid ?? 0], version: VERSION, stop: async () => stopProcess(child) };
}

/** The type parameter follows from the caller's values. @param {Kind} kind */
const codecOf = (kind) => (/** @type {'utf8'} */ (kind === 'string' ? 'utf8' : 'buffer'));

/** Twice the bytes of the entries and their headers. @param {Load} load */
function memoryFor({ keyCount, valueBytes }) {
  const bytes = 2 * keyCount * (valueBytes + 128);
  return Math.min(4096, Math.max(256, Math.ceil(bytes / MIB))) * MIB;
}

/**
 * @param {KvsClient<Value>} client
 * @returns {Store}
 */
function storeOf(client) {
  /** @type {Store} */
  const store = {
    isPipelined: true,
    get: async (key) => client.get(key),
    set: async (key, value) => client.set(key, value),
    getSync: (key) => client.getSync(key),
    setSync: (key, value) => client.setSync(key, value),
    mget: async (keys) => client.mget(keys),
    mset: async (entries) => client.mset(entries),
    close: async () => client.close(),
  };
  // The methods themselves, not wrappers that would cost a promise more.
  store.get = client.get.bind(client);
  store.set = client.set.bind(client);
  store.view = (key) => viewOf(client.getViewSync(key));
  store.into = (key, target) => client.getInto(key, target);
  return store;
}

/**
 * @param {import('shm-kvs').View | undefined} view
 * @returns {View}
 */
function viewOf(view) {
  if (view === undefined) throw new Error('getView found nothing');
  return { bytes: view.bytes, release: () => view.release() };
}
