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

/** Nothing is written to files. */
const IN_MEMORY = ['--save', '', '--appendonly', 'no'];

/**
 * @param {string} address path of the socket
 * @param {string} folder
 * @param {string[]} persistence
 */
export async function startRedis(address, folder, persistence = IN_MEMORY) {
  const options = ['--port', '0', '--unixsocket', address, '--dir', folder];
  return startListener('redis-server', [...options, ...persistence], address);
}

/**
 * @param {string} folder
 * @param {'ioredis' | 'redis'} client
 * @param {string[]} [persistence]
 * @returns {Promise<Started>}
 */
export async function startRedisFor(folder, client, persistence) {
  const redis = redisVersion();
  await ensurePackage(client);
  const version = `${versionOf(client)}, Redis ${redis}`;
  const address = join(folder, `${client}.sock`);
  const child = await startRedis(address, folder, persistence);
  return { address, pids: [child.pid ?? 0], version, stop: async () => stopProcess(child) };
}

/** @type {Peer} */
export const ioredis = {
  id: 'Redis, ioredis',
  note: 'on a Unix socket, no persistence; auto-pipelining where 64 calls are in flight',
  isShared: true,

  start: async (folder) => startRedisFor(folder, 'ioredis'),

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

  start: async (folder) => startRedisFor(folder, 'redis'),

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
