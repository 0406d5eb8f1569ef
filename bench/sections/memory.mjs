/**
 * Bytes of memory per entry of 16 + 64 bytes. shm-kvs is filled until it refuses: all of its data segment counts, the
 * map too. Redis and memcached get as many entries and are asked what they took.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { promisify } from 'node:util';

import { KvsClient, KvsError } from 'shm-kvs';

import { residentBytesOf } from '../machine/cpu.mjs';
import { memcached } from '../peers/memcached.mjs';
import { ioredis } from '../peers/redis.mjs';
import { shmKvs } from '../peers/shm-kvs.mjs';
import { keyOf, Values } from '../workload/values.mjs';
import { startCrew, stopCrews } from './measure.mjs';

/** @import { Context, Section } from './context.mjs' */

const MIB = 2 ** 20;
const VALUE_BYTES = 64;
const PAYLOAD_BYTES = 16 + VALUE_BYTES;
const BATCH = 256;

/** @typedef {{ peer: string, entries: number, bytes: number, how: string, residentBytes: number | undefined }} Row */

/** @param {Context} context */
async function run(context) {
  const full = await fillShmKvs(context);
  const rows = full === undefined ? [] : [full];
  const keyCount = full?.entries ?? 100_000;
  rows.push(...(await fillOther(context, ioredis, keyCount, redisBytes, 'used_memory')));
  rows.push(...(await fillOther(context, memcached, keyCount, memcachedBytes, 'slabs and hash table')));
  const lines = ['| store | entries | bytes per entry | beyond key and value | counted | resident, per entry |'];
  lines.push('|---|---:|---:|---:|---|---:|');
  for (const { peer, entries, bytes, how, residentBytes } of rows) {
    const perEntry = bytes / entries;
    const resident = residentBytes === undefined ? '' : (residentBytes / entries).toFixed(1);
    context.results.numbers[`memory.${peer}.overheadBytes`] = perEntry - PAYLOAD_BYTES;
    const figures = `${perEntry.toFixed(1)} | ${(perEntry - PAYLOAD_BYTES).toFixed(1)} | ${how} | ${resident}`;
    lines.push(`| ${peer} | ${entries.toLocaleString('en')} | ${figures} |`);
    context.say(`  ${peer}: ${perEntry.toFixed(1)} bytes per entry (${how})`);
  }
  context.results.tables.push({ title: 'Memory per entry (keys of 16 B, values of 64 B)', text: lines.join('\n') });
}

/** @param {Context} context @returns {Promise<Row | undefined>} */
async function fillShmKvs(context) {
  const memoryBytes = (context.isQuick ? 16 : 64) * MIB;
  const crew = await startCrew(context, shmKvs, 'string', { valueBytes: VALUE_BYTES, keyCount: 0, memoryBytes });
  if (crew === undefined) return undefined;
  const client = await KvsClient.connect({ name: crew.started.address });
  const values = new Values('string', VALUE_BYTES);
  let entries = 0;
  try {
    for (let first = 0; ; first += BATCH) {
      const keys = Array.from({ length: BATCH }, (_, i) => keyOf(first + i));
      /** @type {[string, string][]} */
      const batch = keys.map((key) => [key, values.make(key, 1).toString()]);
      await client.mset(batch);
      const size = await client.size();
      // A store that makes room by forgetting is full as well.
      if (size < entries + BATCH) break;
      entries = size;
    }
  } catch (error) {
    if (!(error instanceof KvsError) || error.code !== 'ERR_KVS_OUT_OF_MEMORY') throw error;
  }
  entries = await client.size();
  const { memory } = await client.stats();
  context.results.numbers['memory.shm-kvs heap.overheadBytes'] = memory.usedBytes / entries - PAYLOAD_BYTES;
  await client.close();
  await stopCrews([crew]);
  return {
    peer: 'shm-kvs',
    entries,
    bytes: memoryBytes,
    how: 'the whole data segment, full',
    residentBytes: undefined,
  };
}

/**
 * @param {Context} context
 * @param {typeof ioredis} peer
 * @param {number} keyCount
 * @param {(socketPath: string) => Promise<number>} bytesOf
 * @param {string} how
 * @returns {Promise<Row[]>} none when the peer is not to be had
 */
async function fillOther(context, peer, keyCount, bytesOf, how) {
  if (!context.peers.includes(peer)) return [];
  const crew = await startCrew(context, peer, 'string', { valueBytes: VALUE_BYTES, keyCount });
  if (crew === undefined) return [];
  const { address, pids } = crew.started;
  await crew.hire(1);
  await crew.fill(0, 1);
  const bytesBefore = await bytesOf(address);
  const residentBefore = residentBytesOf(pids[0]);
  await crew.fill(0, keyCount);
  const bytes = (await bytesOf(address)) - bytesBefore;
  const residentBytes = residentBytesOf(pids[0]) - residentBefore;
  await stopCrews([crew]);
  return [{ peer: peer === ioredis ? 'Redis' : peer.id, entries: keyCount, bytes, how, residentBytes }];
}

/** @param {string} socketPath */
async function redisBytes(socketPath) {
  const { stdout } = await promisify(execFile)('redis-cli', ['-s', socketPath, 'info', 'memory']);
  return Number(/used_memory:(\d+)/.exec(stdout)?.[1]);
}

/** @param {string} socketPath */
async function memcachedBytes(socketPath) {
  const slabs = /total_malloced (\d+)/.exec(await ask(socketPath, 'stats slabs\r\n'))?.[1];
  const table = /hash_bytes (\d+)/.exec(await ask(socketPath, 'stats\r\n'))?.[1];
  return Number(slabs) + Number(table);
}

/**
 * @param {string} socketPath
 * @param {string} question
 */
async function ask(socketPath, question) {
  const socket = createConnection(socketPath);
  socket.setEncoding('latin1');
  socket.write(question);
  let text = '';
  while (!text.endsWith('END\r\n')) text += String((await once(socket, 'data'))[0]);
  socket.destroy();
  return text;
}

/** @type {Section} */
export const memory = { id: 'memory', title: 'memory per entry', run };
