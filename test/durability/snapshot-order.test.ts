/**
 * A store that is loaded from a snapshot hashes as the one that wrote it: its entries come in the order of the buckets, and
 * walks meet the keys in the same order. Seen to fail when the seed is not written, and when it is not taken.
 */

import { expect, test } from 'vitest';

import { KvsServer, type KvsServerOptions } from '#dist/index.js';

import { diskDirectory } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { connect } from '../fixtures/service.js';

const KEYS = 2000;

/** Runs a server for as long as `use` takes. */
async function served<R>(options: KvsServerOptions, use: () => Promise<R>): Promise<R> {
  const server = await KvsServer.start(options);
  try {
    return await use();
  } finally {
    await server.stop();
  }
}

test('keys are met in the same order after a restart from a snapshot, and in another in another store', async () => {
  const dir = diskDirectory();
  const options = { name: regionName(), workers: 1, maxMemory: 2 ** 23 };
  const walk = async (): Promise<string[]> => {
    const client = await connect(options.name);
    const keys: string[] = [];
    for await (const key of client.keys()) keys.push(key);
    await client.close();
    return keys;
  };
  const write = async (): Promise<string[]> => {
    const client = await connect(options.name);
    await client.mset(Array.from({ length: KEYS }, (_, i) => [`key:${i}`, `value of ${i}`] as const));
    await client.close();
    return walk();
  };
  const written = await served({ ...options, dir }, write);
  expect(new Set(written).size).toBe(KEYS);
  const loaded = await served({ ...options, dir }, async () => {
    const client = await connect(options.name);
    expect(await client.mget(['key:0', `key:${KEYS - 1}`])).toEqual(['value of 0', `value of ${KEYS - 1}`]);
    await client.del('key:0');
    expect(await client.get('key:0')).toBeUndefined();
    await client.set('key:0', 'new');
    await client.close();
    return walk();
  });
  expect(loaded).toEqual(written);
  const other = await served(options, write);
  expect(other).not.toEqual(written);
  expect(new Set(other)).toEqual(new Set(written));
});
