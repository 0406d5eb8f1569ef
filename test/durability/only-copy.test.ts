/**
 * A region that holds what is in no file is not given up: not for a directory of another store, not because it cannot be
 * read, not because others died over it; and a server that runs is not ended for a start that fails.
 * The log of a region that goes on may end with anything.
 * Seen to fail when: what is in the lanes does not count; regions of other layouts are put aside beside a log; a gap does
 * not count; the log has to be whole; it goes on below numbers that there are; a take-over does not look at its directory first.
 */
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { KvsServer, type ServerEvent } from '#dist/index.js';
import { HEADER_BYTES } from '#dist/log/header.js';
import { CtlHeader, DataHeader } from '#dist/memory/layout.js';
import { LogControl } from '#dist/memory/log-layout.js';

import { type BadDisk, expectKnown, startOnBadDisk, writeUntilRefused } from '../fixtures/bad-disk.js';
import { diskDirectory, until } from '../fixtures/processes.js';
import { attachTestRegion, loseRegion } from '../fixtures/region.js';
import { connect, failureOf, startServer, startServerProcess, statsUntil } from '../fixtures/service.js';

/** What a server leaves that was killed while its disk failed; the disk works again. */
async function leaveRegion(fault: string, sync: 'always' | 'everysec' = 'everysec') {
  const scene = await startOnBadDisk({ sync });
  const { name, faults, server } = scene;
  const client = await connect(name);
  await client.set('first', 'first');
  const known = new Map<string, string | undefined>([['first', 'first']]);
  faults.begin(fault);
  await writeUntilRefused(client, known);
  const { geometry } = attachTestRegion(name);
  await server.kill();
  await client.close();
  faults.end();
  const expectAll = async (): Promise<void> => expectKnown(await connect(name), known);
  return { ...scene, geometry, expectAll };
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
  const { name, dir, options, expectAll } = await leaveRegion('writeSync ENOSPC .kvl');
  const other = startServer({ ...options, dir: `${dir}-other` }, name);
  const failure = await failureOf(other);
  expect(failure.code).toBe('ERR_KVS_NOT_DURABLE');
  expect(failure.message).toContain('holds writes that are in no file: start it with the directory that it had');
  const own = await startServer(options, name);
  await expectAll();
  // Once all is in its files, another directory may be served.
  await own.stop({ keep: true });
  await startServer({ ...options, dir: `${dir}-other` }, name);
  expect(await (await connect(name)).size()).toBe(0);
});

test('a region of another layout is refused beside a log, and serves those who can read it', async () => {
  const { name, options, expectAll } = await leaveRegion('writeSync ENOSPC .kvl');
  const [path, data] = [`/dev/shm/kvs.${name}.ctl`, `/dev/shm/kvs.${name}.data`];
  const [version] = [change(path, CtlHeader.layoutVersion, 5), change(data, DataHeader.layoutVersion, 5)];
  const failure = await failureOf(startServer(options, name));
  expect(failure.code).toBe('ERR_KVS_LAYOUT');
  expect(failure.message).toContain(`start the version that made it once, and stop it; or remove ${path}`);
  change(path, CtlHeader.layoutVersion, version);
  change(data, DataHeader.layoutVersion, version);
  await startServer(options, name);
  await expectAll();
});

test('behind a gap a region is gone on with, however many servers died over it', async () => {
  const { name, options, geometry, expectAll } = await leaveRegion('fdatasyncSync EIO');
  const path = `/dev/shm/kvs.${name}.data`;
  expect(change(path, geometry.logControlOffset / 4 + LogControl.gap, 1)).toBe(1);
  change(path, DataHeader.recoveries, 7);
  const server = await startServer(options, name);
  await expectAll();
  await server.stop();
  await startServer(options, name);
  await expectAll();
});

/** As pages that the kernel could not write, and has dropped. */
function spoil(dir: string, end: string): void {
  // Of a segment that had just begun: no record has such a number yet, and none of what follows may come before it.
  if (end === 'a segment of a higher number') {
    writeFileSync(join(dir, 'log-0000000001000000.kvl'), Buffer.alloc(HEADER_BYTES));
    return;
  }
  for (const file of readdirSync(dir).filter((each) => each.endsWith('.kvl'))) {
    const path = join(dir, file);
    const { size } = statSync(path);
    truncateSync(path, end === 'zeros, its header too' ? 0 : HEADER_BYTES);
    if (end.startsWith('zeros')) truncateSync(path, size);
    if (end === 'something else') appendFileSync(path, randomBytes(size - HEADER_BYTES));
  }
}

/** The next server has all, and so have the files once it serves. */
async function expectUnharmed({ name, options }: Pick<BadDisk, 'name' | 'options'>, expectAll: () => Promise<void>) {
  const server = await startServerProcess(options, name);
  await expectAll();
  const events = (await server.tell('events')) as ServerEvent[];
  expect(events.map(({ type }) => type)).toEqual(['log-trouble', 'log-resumed', 'recovered']);
  await server.kill();
  const next = await startServerProcess(options, name);
  await expectAll();
  await next.kill();
  loseRegion(name);
  await startServer(options, name);
  await expectAll();
}

describe.each(['always', 'everysec'] as const)('`%s`', (sync) => {
  test.each(['zeros', 'zeros, its header too', 'nothing', 'something else', 'a segment of a higher number'])(
    'after a failed sync it does not matter if the log ends with %s',
    async (end) => {
      const { expectAll, ...scene } = await leaveRegion('fdatasyncSync EIO', sync);
      spoil(scene.dir, end);
      await expectUnharmed(scene, expectAll);
    },
  );
});

test('nor does it after a sync that had not returned', async () => {
  const scene = await startOnBadDisk();
  const { name, dir, faults, server } = scene;
  const client = await connect(name);
  await client.set('first', '1');
  await statsUntil(client, ({ log }) => (log?.durableSequence ?? 0) >= 1);
  faults.begin('fdatasyncSync hang .kvl');
  await client.set('second', '2');
  await until(() => faults.hasHung);
  await server.kill();
  await client.close();
  faults.end();
  spoil(dir, 'zeros');
  const known = new Map([
    ['first', '1'],
    ['second', '2'],
  ]);
  await expectUnharmed(scene, async () => expectKnown(await connect(name), known));
});

const SHAPE = { workers: 1, maxMemory: 16 * 2 ** 20 };

test('a take-over whose directory cannot be used leaves the server that runs', async () => {
  const server = await startServer({ ...SHAPE, dir: join(diskDirectory(), 'log') });
  const { name } = server;
  const client = await connect(name);
  await client.set('k', 'v');
  let hasEnded = false;
  void server.ended.then(() => (hasEnded = true));
  const takeover = { ...SHAPE, name, takeover: true };
  const inUse = join(diskDirectory(), 'log');
  await startServerProcess({ dir: inUse });
  for (const [options, code] of [
    [{ dir: '/proc/none/log' }, 'ERR_KVS_LOG_DIR'],
    [{ dir: join(diskDirectory(), 'log'), workers: 32 }, 'ERR_KVS_LAYOUT'],
    [{ dir: inUse }, 'ERR_KVS_ALREADY_RUNNING'],
  ] as const) {
    expect(await failureOf(KvsServer.start({ ...takeover, ...options }))).toMatchObject({ code });
    expect(await client.set('k', code)).toBe(true);
  }
  expect(hasEnded).toBe(false);
});
