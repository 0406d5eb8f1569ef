/**
 * Two servers, one directory, one after the other: what the second wrote is not given up for the region that the first left,
 * nor what that region alone holds for the files.
 * Seen to fail when a region does not look who wrote the last segment.
 */
import { cpSync, rmSync } from 'node:fs';

import { expect, test } from 'vitest';

import type { ServerEvent } from '#dist/index.js';

import { startOnBadDisk } from '../fixtures/bad-disk.js';
import { diskDirectory, Peer } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { connect, failureOf, startServer, startServerProcess, statsUntil } from '../fixtures/service.js';

/** What a server of another name does with the directory. */
async function writeByAnother(dir: string): Promise<void> {
  const other = regionName();
  const server = await startServer({ dir }, other);
  const client = await connect(other);
  await client.set('k', 'new');
  await client.close();
  await server.stop();
}

async function leave(sync: 'always' | 'everysec') {
  const dir = diskDirectory();
  const name = regionName();
  const server = await startServerProcess({ dir, sync }, name);
  const client = await connect(name);
  await client.mset([
    ['k', 'old'],
    ['mine', '1'],
  ]);
  await statsUntil(client, ({ log }) => (log?.sequence ?? 0) >= 2);
  await client.close();
  await server.kill();
  return { dir, name };
}

test.each(['always', 'everysec'] as const)('what another server has written since counts, `%s`', async (sync) => {
  const { dir, name } = await leave(sync);
  await writeByAnother(dir);
  const server = await startServerProcess({ dir, sync }, name);
  const client = await connect(name);
  expect(await client.mget(['k', 'mine'])).toEqual(['new', '1']);
  const events = (await server.tell('events')) as ServerEvent[];
  expect(events).toContainEqual(
    expect.objectContaining({
      type: 'region-replaced',
      reason: expect.stringContaining('was written to by another server since') as string,
    }),
  );
});

test('a start that another server made, and wrote nothing, changes nothing', async () => {
  const { dir, name } = await leave('everysec');
  const other = await startServerProcess({ dir }, regionName());
  await other.kill();
  await startServer({ dir }, name);
  expect(await (await connect(name)).mget(['k', 'mine'])).toEqual(['old', '1']);
});

test('a region that holds what is in no file is not given up for files that another has written to', async () => {
  const { name, dir, options, faults, server } = await startOnBadDisk();
  const client = await connect(name);
  await client.set('k', 'old');
  await statsUntil(client, ({ log }) => (log?.sequence ?? 0) >= 1);
  faults.begin('writeSync ENOSPC .kvl');
  await client.set('only here', '1');
  await server.kill();
  faults.end();
  await writeByAnother(dir);
  const refused = await failureOf(startServer(options, name));
  expect(refused.code).toBe('ERR_KVS_NOT_DURABLE');
  expect(refused.message).toContain('was written to by another server since');
  await startServer({ ...options, fresh: true }, name);
  expect(await (await connect(name)).mget(['k', 'only here'])).toEqual(['new', undefined]);
});

test('files that were put back from a copy, and written to, are refused where they end before the region', async () => {
  const { name, dir, options, server } = await startOnBadDisk({ sync: 'always' });
  const copy = `${dir}-copy`;
  cpSync(dir, copy, { recursive: true });
  const client = await connect(name);
  await client.mset(Array.from({ length: 100 }, (_, i) => [`${i}`, 'v'] as const));
  await client.close();
  await server.kill();
  rmSync(dir, { recursive: true });
  cpSync(copy, dir, { recursive: true });
  await writeByAnother(dir);
  const refused = await failureOf(startServer(options, name));
  expect(refused.code).toBe('ERR_KVS_NOT_DURABLE');
  expect(refused.message).toMatch(/ends with record \d+, where the region has effects up to 100: start with `fresh`/);
  const fresh = await Peer.start('service/server', JSON.stringify({ ...options, name, fresh: true }));
  expect(await (await connect(name)).get('k')).toBe('new');
  await fresh.tell('stop');
});

test('the files of a region may be moved', async () => {
  const { dir, name } = await leave('always');
  const moved = `${diskDirectory()}/log`;
  cpSync(dir, moved, { recursive: true });
  const server = await startServerProcess({ dir: moved }, name);
  expect(await (await connect(name)).mget(['k', 'mine'])).toEqual(['old', '1']);
  const events = (await server.tell('events')) as ServerEvent[];
  expect(events.map(({ type }) => type)).toEqual(['recovered']);
});
