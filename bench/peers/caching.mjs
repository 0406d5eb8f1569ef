/** shm-kvs with caches of decoded values of several sizes, and without any: of text, and of objects made from JSON. */
import { KvsClient } from 'shm-kvs';

import { connectShmKvs, shmKvs } from './shm-kvs.mjs';

/** @import { Peer, Store, Value } from './peer.mjs' */

const ENTRIES = [0, 4096, 32_768];

/** A value as services keep them; the text is what the benchmark checks. @typedef {{ text: Value, user: object }} Item */

/** @param {Value} text @returns {Item} */
const itemOf = (text) => ({ text, user: { id: 4711, name: 'Ada', roles: ['admin', 'editor'], isActive: true } });

/** @param {string} address @param {number} cacheEntries @returns {Promise<Store>} */
async function connectJson(address, cacheEntries) {
  /** @type {KvsClient<Item>} */
  const client = await KvsClient.connect({ name: address, timeoutMs: 60_000, codec: 'json', cacheEntries });
  return {
    isPipelined: true,
    get: async (key) => (await client.get(key))?.text,
    set: async (key, value) => client.set(key, itemOf(value)),
    getSync: (key) => client.getSync(key)?.text,
    setSync: (key, value) => client.setSync(key, itemOf(value)),
    mset: async (entries) => client.mset(entries.map(([key, value]) => [key, itemOf(value)])),
    close: async () => client.close(),
  };
}

/** @param {'text' | 'JSON'} what @param {number} cacheEntries @returns {Peer} */
const cachingPeer = (what, cacheEntries) => ({
  ...shmKvs,
  id: `${what}, ${cacheEntries === 0 ? 'no cache' : `${cacheEntries.toLocaleString('en')} values`}`,
  note: `this package, codec: '${what === 'JSON' ? 'json' : 'utf8'}', cacheEntries: ${cacheEntries}`,
  connect: async (address, kind) =>
    what === 'JSON' ? connectJson(address, cacheEntries) : connectShmKvs(address, kind, { cacheEntries }),
});

/** @type {readonly Peer[]} */
export const cachingPeers = /** @type {const} */ (['text', 'JSON']).flatMap((what) =>
  ENTRIES.map((entries) => cachingPeer(what, entries)),
);
