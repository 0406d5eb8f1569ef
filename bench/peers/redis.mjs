/** Redis on a Unix socket, without persistence: through ioredis and through node-redis. */
import { join } from 'node:path';

import { ensurePackage, loadPackage, versionOf } from './packages.mjs';
import { firstLineOf, startListener, stopProcess } from './processes.mjs';

/** @import { Batch, Kind, Peer, Started, Store, Value } from './peer.mjs' */

/** @typedef {Record<'get' | 'getBuffer', (key: string) => Promise<Value | null>>} IoredisGet */
/** @typedef {Record<'mget' | 'mgetBuffer', (keys: string[]) => Promise<Batch>>} IoredisMget */
/**
 * @typedef {object} IoredisRest
 * @property {(key: string, value: Value) => Promise<unknown>} set
 * @property {(entries: Value[]) => Promise<unknown>} mset
 * @property {() => void} disconnect
 * @property {() => Promise<unknown>} connect
 */
/** @typedef {IoredisGet & IoredisMget & IoredisRest} Ioredis */
/** @typedef {{ Redis: new (options: object) => Ioredis }} IoredisPackage */

/** @returns {string} */
export function redisVersion() {
  return /v=(\S+)/.exec(firstLineOf('redis-server', ['--version'], 'apt-get install redis-server'))?.[1] ?? 'unknown';
}

/**
 * @param {string} address path of the socket
 * @param {string} folder
 */
export async function startRedis(address, folder) {
  const options = ['--port', '0', '--unixsocket', address, '--dir', folder];
  return startListener('redis-server', [...options, '--save', '', '--appendonly', 'no'], address);
}

/**
 * @param {string} folder
 * @param {'ioredis' | 'redis'} client
 * @returns {Promise<Started>}
 */
async function start(folder, client) {
  const version = `${versionOf(client)}, Redis ${redisVersion()}`;
  const address = join(folder, `${client}.sock`);
  const child = await startRedis(address, folder);
  return { address, pids: [child.pid ?? 0], version, stop: async () => stopProcess(child) };
}

/** @type {Peer} */
export const ioredis = {
  id: 'Redis, ioredis',
  note: 'on a Unix socket, no persistence; auto-pipelining where 64 calls are in flight',
  isShared: true,

  async start(folder) {
    redisVersion();
    await ensurePackage('ioredis');
    return start(folder, 'ioredis');
  },

  async connect(address, kind) {
    const { Redis } = /** @type {IoredisPackage} */ (loadPackage('ioredis'));
    const plain = new Redis({ path: address, lazyConnect: true });
    const pipelining = new Redis({ path: address, lazyConnect: true, enableAutoPipelining: true });
    await Promise.all([plain.connect(), pipelining.connect()]);
    return {
      isPipelined: true,
      ...ioredisCalls(plain, kind),
      inFlight: ioredisCalls(pipelining, kind),
      mget: async (keys) => (kind === 'string' ? plain.mget(keys) : plain.mgetBuffer(keys)),
      mset: async (entries) => plain.mset(entries.flat()),
      close() {
        plain.disconnect();
        pipelining.disconnect();
      },
    };
  },
};

/**
 * @param {Ioredis} client
 * @param {Kind} kind
 * @returns {Pick<Store, 'get' | 'set'>}
 */
function ioredisCalls(client, kind) {
  const get = kind === 'string' ? client.get : client.getBuffer;
  return { get: get.bind(client), set: client.set.bind(client) };
}

/**
 * @typedef {object} NodeRedis
 * @property {(key: string) => Promise<Value | null>} get
 * @property {(key: string, value: Value) => Promise<unknown>} set
 * @property {(keys: string[]) => Promise<Batch>} mGet
 * @property {(entries: [string, Value][]) => Promise<unknown>} mSet
 * @property {(mapping: Record<number, unknown>) => NodeRedis} withTypeMapping
 * @property {() => Promise<unknown>} connect
 * @property {() => void} destroy
 * @property {(event: string, listener: () => void) => unknown} on
 */
/** @typedef {{ createClient(options: object): NodeRedis, RESP_TYPES: { BLOB_STRING: number } }} NodeRedisPackage */

/** @type {Peer} */
export const nodeRedis = {
  id: 'Redis, node-redis',
  note: 'on a Unix socket, no persistence',
  isShared: true,

  async start(folder) {
    redisVersion();
    await ensurePackage('redis');
    return start(folder, 'redis');
  },

  async connect(address, kind) {
    const redis = /** @type {NodeRedisPackage} */ (loadPackage('redis'));
    const client = redis.createClient({ socket: { path: address } });
    client.on('error', () => {});
    await client.connect();
    const calls = kind === 'string' ? client : client.withTypeMapping({ [redis.RESP_TYPES.BLOB_STRING]: Buffer });
    return {
      isPipelined: true,
      get: calls.get.bind(calls),
      set: calls.set.bind(calls),
      mget: async (keys) => calls.mGet(keys),
      mset: async (entries) => calls.mSet(entries),
      close: () => client.destroy(),
    };
  },
};
