/** All peers, in the order of the tables. */
import { cachingPeers } from './caching.mjs';
import { durablePeers } from './durable.mjs';
import { inProcessMap } from './map.mjs';
import { lmdbCoherent, lmdbDefault } from './lmdb.mjs';
import { memcached } from './memcached.mjs';
import { nodeIpc } from './node-ipc.mjs';
import { ioredis, nodeRedis } from './redis.mjs';
import { shmKvs } from './shm-kvs.mjs';
import { socketMap } from './socket-map.mjs';
import { sqlite } from './sqlite.mjs';

/** @import { Peer } from './peer.mjs' */

/** @type {readonly Peer[]} */
export const peers = [
  shmKvs,
  lmdbCoherent,
  lmdbDefault,
  sqlite,
  ioredis,
  nodeRedis,
  memcached,
  socketMap,
  nodeIpc,
  inProcessMap,
];

/** @param {string} id */
export function peerOf(id) {
  const found = [...peers, ...durablePeers, ...cachingPeers].find((peer) => peer.id === id);
  if (found === undefined) throw new RangeError(`no peer is called ${id}`);
  return found;
}
