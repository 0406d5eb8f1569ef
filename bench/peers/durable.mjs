/** Stores that keep a log of what is written, and, as the measure, one of each that does not. Their folders are on a disk. */
import { ioredis, nodeRedis, startRedisFor } from './redis.mjs';
import { shmKvs, startShmKvs } from './shm-kvs.mjs';

/** @import { Peer } from './peer.mjs' */

/** The log alone: what is measured is not disturbed by rewriting it. */
const APPEND_ONLY = ['--save', '', '--appendonly', 'yes', '--auto-aof-rewrite-percentage', '0', '--appendfsync'];
const MANY_BYTES = 2 ** 40;

/** @param {'always' | 'everysec' | 'no'} sync @returns {Peer} */
const ownPeer = (sync) => ({
  ...shmKvs,
  id: `shm-kvs, ${sync}`,
  note: `this package with a log, sync: '${sync}', no snapshots meanwhile`,
  start: async (folder, load) =>
    startShmKvs(load, { dir: `${folder}/log`, sync, snapshotIntervalMs: 0, snapshotLogBytes: MANY_BYTES }),
});

/** @param {Peer} peer @param {'ioredis' | 'redis'} client @param {'always' | 'everysec'} sync @returns {Peer} */
const redisPeer = (peer, client, sync) => ({
  ...peer,
  id: `${peer.id}, ${sync}`,
  note: `on a Unix socket, appendonly yes, appendfsync ${sync}`,
  start: async (folder) => startRedisFor(folder, client, [...APPEND_ONLY, sync]),
});

/** @type {readonly Peer[]} */
export const durablePeers = [
  { ...shmKvs, id: 'shm-kvs, no log' },
  ownPeer('no'),
  ownPeer('everysec'),
  ownPeer('always'),
  redisPeer(ioredis, 'ioredis', 'everysec'),
  redisPeer(ioredis, 'ioredis', 'always'),
  redisPeer(nodeRedis, 'redis', 'always'),
];
