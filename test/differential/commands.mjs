/**
 * The commands that both have: how each is asked for here and there, and what both answer in one form. All text is latin1,
 * one character for each byte.
 */
import { KvsError } from '#dist/index.js';

import { RedisError } from './redis.mjs';

/** @import { KvsClient } from '#dist/index.js' */
/** @import { Answer } from './differences.mjs' */
/** @import { Redis, Reply } from './redis.mjs' */

/** @typedef {readonly (string | number)[]} Args */

/**
 * @typedef {object} Command
 * @property {(reply: Reply) => Answer} read what Redis answered, in the form of ours
 * @property {(client: KvsClient<Buffer>, args: Args) => Promise<Answer>} ours
 * @property {string} [as] what it is called there
 */

/** @param {string | number | undefined} word */
const bytes = (word) => Buffer.from(String(word), 'latin1');
/** @param {Buffer | null | undefined} value */
const text = (value) => value?.toString('latin1') ?? null;

/** @param {Reply} reply @returns {Answer} */
function plain(reply) {
  if (Array.isArray(reply)) return reply.map((part) => (Buffer.isBuffer(part) ? text(part) : null));
  return Buffer.isBuffer(reply) ? text(reply) : typeof reply === 'number' ? reply : null;
}

/** @param {Reply} reply */
const isOne = (reply) => reply === 1;
/** @param {Reply} reply */
const isDone = (reply) => reply !== null;

/** @param {Args} args words behind SET's key and value */
function optionsOf([word, moment]) {
  if (word === 'PX') return { ttlMs: Number(moment) };
  if (word === 'PXAT') return { expiresAt: Number(moment) };
  return word === 'KEEPTTL' ? { keepTtl: true } : {};
}

/** @param {Args} args @returns {[Buffer, Buffer][]} */
function pairsOf(args) {
  return Array.from({ length: args.length / 2 }, (_, at) => [bytes(args[2 * at]), bytes(args[2 * at + 1])]);
}

/** @type {Readonly<Record<string, Command>>} */
export const COMMANDS = {
  SET: {
    read: isDone,
    ours: (client, [key, value, ...words]) =>
      words[0] === 'NX'
        ? client.post(bytes(key), bytes(value), optionsOf(words.slice(1)))
        : client.set(bytes(key), bytes(value), optionsOf(words)),
  },
  GET: { read: plain, ours: async (client, [key]) => text(await client.get(bytes(key))) },
  GETDEL: { read: plain, ours: async (client, [key]) => text(await client.getdel(bytes(key))) },
  DEL: { read: plain, ours: (client, keys) => client.mdel(keys.map(bytes)) },
  EXISTS: { read: isOne, ours: (client, [key]) => client.exists(bytes(key)) },
  MGET: { read: plain, ours: async (client, keys) => (await client.mget(keys.map(bytes))).map(text) },
  MSET: { read: isDone, ours: (client, args) => client.mset(pairsOf(args)) },
  INCRBY: { read: plain, ours: (client, [key, by]) => client.incr(bytes(key), Number(by)) },
  INCRBYFLOAT: {
    read: plain,
    ours: async (client, [key, by]) => String(await client.incr(bytes(key), Number(by))),
  },
  PEXPIRE: { read: isOne, ours: (client, [key, ms]) => client.expire(bytes(key), Number(ms)) },
  PEXPIREAT: {
    read: isOne,
    ours: (client, [key, at]) => client.expire(bytes(key), { expiresAt: Number(at) }),
  },
  PERSIST: { read: isOne, ours: (client, [key]) => client.persist(bytes(key)) },
  FLUSHALL: { read: isDone, ours: (client) => client.flush() },
};

/** @param {Redis} redis @param {string} name @param {Args} args @returns {Promise<Answer>} */
export async function askRedis(redis, name, args) {
  const reply = await redis.call(name, ...args.map(bytes));
  return reply instanceof RedisError ? 'refused' : (COMMANDS[name]?.read(reply) ?? null);
}

/** @param {KvsClient<Buffer>} client @param {string} name @param {Args} args @returns {Promise<Answer>} */
export async function askOurs(client, name, args) {
  try {
    return (await COMMANDS[name]?.ours(client, args)) ?? null;
  } catch (error) {
    const isRefused = error instanceof RangeError || error instanceof TypeError || error instanceof KvsError;
    // Anything else than what the caller asked for is a fault.
    const codes = ['ERR_KVS_NOT_A_NUMBER', 'ERR_KVS_TOO_LARGE'];
    if (isRefused && (!(error instanceof KvsError) || codes.includes(error.code))) return 'refused';
    throw error;
  }
}
