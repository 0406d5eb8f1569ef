/**
 * A region that holds what is in no file is not given up: not for a directory of another store, not because it cannot be
 * read, not because others died over it; and a server that runs is not ended for a start that fails.
 * Seen to fail when: what is in the lanes does not count; regions of other layouts are put aside beside a log; a gap does
 * not count; a take-over does not look at its directory first.
 */
import { closeSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { type KvsClient, type KvsError, KvsServer } from '#dist/index.js';
import { CtlHeader, DataHeader } from '#dist/memory/layout.js';
import { LogControl } from '#dist/memory/log-layout.js';

import { Peer, temporaryDirectory } from '../fixtures/processes.js';
import { attachTestRegion, regionName } from '../fixtures/region.js';
import { connect, failureOf, startServer } from '../fixtures/service.js';

const SHAPE = { workers: 1, maxMemory: 16 * 2 ** 20 };

/** Writes until the disk stops it. @returns the keys that were acknowledged */
async function writeUntilRefused(client: KvsClient): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const key = `key ${keys.length}`;
    try {
      await client.set(key, key);
      keys.push(key);
    } catch (error) {
      expect((error as KvsError).code).toBe('ERR_KVS_NOT_DURABLE');
      return keys;
    }
  }
}

/** What a server leaves that was killed while its disk failed; the disk works again. */
async function leaveRegion(fault: string) {
  const name = regionName();
  const folder = temporaryDirectory();
  const faults = join(folder, 'faults');
  const dir = join(folder, 'log');
  const settings = { preload: 'failing-disk', env: { KVS_TEST_FAULTS: faults } };
  const server = await Peer.startWith(settings, 'service/server', JSON.stringify({ ...SHAPE, name, dir }));
  const client = await connect(name);
  await client.set('first', 'first');
  writeFileSync(faults, fault);
  const keys = ['first', ...(await writeUntilRefused(client))];
  const { geometry } = attachTestRegion(name);
  await server.kill();
  await client.close();
  rmSync(faults);
  return { name, folder, dir, keys, geometry };
}

async function expectAll(name: string, keys: readonly string[]): Promise<void> {
  expect(await (await connect(name)).mget(keys)).toEqual(keys);
}

/** Writes a word of a file. @returns what it was */
function change(path: string, word: number, value: number): number {
  const fd = openSync(path, 'r+');
  const bytes = Buffer.alloc(4);
  readSync(fd, bytes, 0, 4, word * 4);
  writeSync(fd, Int32Array.of(value), 0, 4, word * 4);
  closeSync(fd);
  return bytes.readInt32LE();
}

test('files of another store are refused while there is anything that is in no file', async () => {
  const { name, folder, dir, keys } = await leaveRegion('writeSync ENOSPC .kvl');
  const other = startServer({ ...SHAPE, dir: join(folder, 'other') }, name);
  const failure = await failureOf(other);
  expect(failure.code).toBe('ERR_KVS_NOT_DURABLE');
  expect(failure.message).toContain('holds writes that are in no file: start it with the directory that it had');
  const own = await startServer({ ...SHAPE, dir }, name);
  await expectAll(name, keys);
  // Once all is in its files, another directory may be served.
  await own.stop({ keep: true });
  await startServer({ ...SHAPE, dir: join(folder, 'other') }, name);
  expect(await (await connect(name)).size()).toBe(0);
});

test('a region of another layout is refused beside a log, and serves those who can read it', async () => {
  const { name, dir, keys } = await leaveRegion('writeSync ENOSPC .kvl');
  const path = `/dev/shm/kvs.${name}.ctl`;
  const version = change(path, CtlHeader.layoutVersion, 5);
  const failure = await failureOf(startServer({ ...SHAPE, dir }, name));
  expect(failure.code).toBe('ERR_KVS_LAYOUT');
  expect(failure.message).toContain(`start the version that made it once, and stop it; or remove ${path}`);
  change(path, CtlHeader.layoutVersion, version);
  await startServer({ ...SHAPE, dir }, name);
  await expectAll(name, keys);
});

test('behind a gap a region is gone on with, however many servers died over it', async () => {
  const { name, dir, keys, geometry } = await leaveRegion('fdatasyncSync EIO');
  const path = `/dev/shm/kvs.${name}.data`;
  expect(change(path, geometry.logControlOffset / 4 + LogControl.gap, 1)).toBe(1);
  change(path, DataHeader.recoveries, 7);
  const server = await startServer({ ...SHAPE, dir }, name);
  await expectAll(name, keys);
  await server.stop();
  await startServer({ ...SHAPE, dir }, name);
  await expectAll(name, keys);
});

test('a take-over whose directory cannot be used leaves the server that runs', async () => {
  const server = await startServer({ ...SHAPE, dir: join(temporaryDirectory(), 'log') });
  const { name } = server;
  const client = await connect(name);
  await client.set('k', 'v');
  let hasEnded = false;
  void server.ended.then(() => (hasEnded = true));
  const takeover = { ...SHAPE, name, takeover: true };
  for (const [options, code] of [
    [{ dir: '/proc/none/log' }, 'ERR_KVS_LOG_DIR'],
    [{ dir: join(temporaryDirectory(), 'log'), workers: 32 }, 'ERR_KVS_LAYOUT'],
  ] as const) {
    expect(await failureOf(KvsServer.start({ ...takeover, ...options }))).toMatchObject({ code });
    expect(await client.set('k', code)).toBe(true);
  }
  expect(hasEnded).toBe(false);
});
