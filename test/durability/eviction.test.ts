/**
 * A server that evicts and keeps a log: a large value takes the place of thousands of small ones, each with a record of its
 * own that must not take the room of the one that is being written; and what was evicted stays away after a restart.
 * Seen to fail when: removals leave no room for what was admitted (ERR_KVS_INTERNAL, and a block leaks); evictions that
 * find no room in the log happen all the same (keys that were gone are back).
 */

import { expect, test } from 'vitest';

import type { KvsClient } from '#dist/index.js';

import { audited } from '../fixtures/audited.js';
import { temporaryDirectory } from '../fixtures/processes.js';
import { loseRegion, regionName } from '../fixtures/region.js';
import { connect, openClient, startServer, startServerProcess } from '../fixtures/service.js';

const MIB = 2 ** 20;
const LARGE = 'y'.repeat(510_000);

/** Small keys, until some of them have been evicted. @returns all of them */
async function fill(client: KvsClient): Promise<string[]> {
  const keys: string[] = [];
  do {
    const batch = Array.from({ length: 1000 }, (_, i) => `key ${keys.length + i}`);
    await client.mset(batch.map((key) => [key, 'old'] as const));
    keys.push(...batch);
  } while ((await client.stats()).eviction.evicted === 0);
  return keys;
}

test('large values in place of many small ones, beside a small log', async () => {
  const shape = { maxMemory: 16 * MIB, workers: 1, maxValueBytes: LARGE.length, eviction: 's3-fifo' } as const;
  const options = { ...shape, dir: temporaryDirectory(), sync: 'always', logMemory: 2 * MIB } as const;
  const name = regionName();
  const server = await startServerProcess(options, name);
  const client = await openClient({ name, reconnectTimeoutMs: 0 });
  const keys = await fill(client);
  for (let round = 0; round < 4; round++) expect(await client.set(`large ${round}`, LARGE)).toBe(true);
  const values = await client.mget(keys);
  const gone = keys.filter((_, index) => values[index] === undefined);
  expect(gone.length).toBeGreaterThan(1000);
  expect(await client.mdel(gone)).toBe(0);
  expect((await audited(name)).findings).toEqual([]);
  // Once this is durable, so is all before it.
  await client.set('last', 'x');
  await server.kill();
  loseRegion(name);
  await startServer(options, name);
  const next = await connect(name);
  expect((await next.mget(gone)).filter((value) => value !== undefined)).toEqual([]);
  expect(await next.get('large 3')).toBe(LARGE);
});
