/**
 * Who may do what with the files of a region, and what others may have put under their names beforehand.
 * As root, another user is one (in a process of its own, or as the owner of a file); else the nearest thing that our user
 * can make stands in. Seen to fail when: the data file's mode lets the group write; unlink() and rename() throw as they come.
 */
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { type KvsClient, KvsServer } from '#dist/index.js';
import { clientBase, clientsInUse } from '#dist/memory/client-lease.js';
import { ClientRecord, CtlHeader } from '#dist/memory/layout.js';
import { regionPaths } from '#dist/memory/region-files.js';
import { native } from '#dist/native.js';

import { Peer, temporaryPath, until } from '../fixtures/processes.js';
import { attachTestRegion, regionFiles, regionName } from '../fixtures/region.js';
import { connect, failureOf, openClient, startServer } from '../fixtures/service.js';

const SHM = '/dev/shm';
const FOREIGNER = 65_534;
const isRoot = process.geteuid?.() === 0;
/** A group that the server's user may give files to. */
const GROUP = isRoot ? 54_321 : process.getegid!();

const modeOf = (path: string): number => statSync(path).mode & 0o7777;
const start = (name: string) => KvsServer.start({ name, workers: 1, maxMemory: 4 * 2 ** 20 });

/** Enough at once that the event loop sleeps, and its doorbell is made. */
async function sleepOnce(client: KvsClient, bell: string): Promise<void> {
  while (!existsSync(bell)) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => client.set(`k${i}`, 'x'.repeat(5000))));
  }
}

describe('modes', () => {
  test.each([0o000, 0o077])('our user alone may use the files, under umask %o', async (umask) => {
    const before = process.umask(umask);
    onTestFinished(() => void process.umask(before));
    const { name } = await startServer();
    const client = await connect(name);
    const paths = regionPaths(name, SHM);
    await sleepOnce(client, paths.bell(0));
    expect([paths.ctl, paths.data, paths.bell(0)].map(modeOf)).toEqual([0o600, 0o600, 0o600]);
  });

  test('a group that is named may write requests and read the store, no more', async () => {
    const { name } = await startServer({ group: GROUP });
    const paths = regionPaths(name, SHM);
    const client = await openClient({ name, group: GROUP, reads: 'server' });
    await sleepOnce(client, paths.bell(0));
    expect([paths.ctl, paths.data, paths.bell(0)].map(modeOf)).toEqual([0o660, 0o640, 0o620]);
    expect([paths.ctl, paths.data, paths.bell(0)].map((path) => statSync(path).gid)).toEqual([GROUP, GROUP, GROUP]);
    const member = await Peer.start('service/member', JSON.stringify({ name, uid: FOREIGNER, group: GROUP }));
    const bells = () => regionFiles(name).filter((file) => file.startsWith(`kvs.${name}.bell.`));
    expect(await member.tell('use', 'of a member')).toEqual(['of a member', 'of a member']);
    // Who closes takes its own away: the server could not.
    expect(bells()).toEqual([basename(paths.bell(0))]);
    expect(await client.get('k0')).toBe('of a member');
    expect(await member.tell('connect', 1)).toBe('connected');
    // The owner needs to name nobody to trust its own files.
    const isForeign = (await member.tell('uid')) !== process.geteuid!();
    expect(isForeign).toBe(isRoot);
    expect(await member.tell('connect', 0)).toBe(isForeign ? 'ERR_KVS_NOT_OURS' : 'connected');
    expect(await member.tell('open', paths.ctl)).toBe('opened');
    // The kernel's word, not ours: whoever owns the file may do as it likes.
    expect(await member.tell('open', paths.data)).toBe(isForeign ? 'EACCES' : 'opened');
    await client.close();
    expect(bells()).toEqual([]);
  });

  test('without a group no other user may open anything', async () => {
    const { name } = await startServer();
    const paths = regionPaths(name, SHM);
    const member = await Peer.start('service/member', JSON.stringify({ name, uid: FOREIGNER, group: GROUP }));
    const isForeign = (await member.tell('uid')) !== process.geteuid!();
    for (const path of [paths.ctl, paths.data]) {
      expect(await member.tell('open', path)).toBe(isForeign ? 'EACCES' : 'opened');
    }
    expect(await member.tell('connect', 1)).toBe(isForeign ? 'ERR_KVS_NOT_OURS' : 'connected');
  });

  test('the next server of a region gives and takes the group as it was told', async () => {
    const name = regionName();
    const { ctl, data } = regionPaths(name, SHM);
    for (const [group, modes] of [
      [undefined, [0o600, 0o600]],
      [GROUP, [0o660, 0o640]],
      [undefined, [0o600, 0o600]],
    ] as const) {
      const server = await startServer({ group, keep: true }, name);
      expect([ctl, data].map(modeOf)).toEqual(modes);
      await server.stop();
    }
  });
});

describe('what others have put there first', () => {
  test.each(['data', 'archivedData'] as const)('a %s file that may not be removed is a clear error', async (file) => {
    const name = regionName();
    const paths = regionPaths(name, SHM);
    // Root may remove anything, but no directory.
    mkdirSync(paths[file]);
    if (file === 'archivedData') {
      // Something to archive.
      const server = await start(name);
      await server.stop({ keep: true });
    }
    const failure = await failureOf(
      KvsServer.start({ name, workers: 1, slots: 32, maxMemory: 4 * 2 ** 20 }).then((server) => server.stop()),
    );
    expect(failure.code).toBe('ERR_KVS_NOT_OURS');
    expect(failure.message).toContain('have its owner remove it');
    rmSync(paths[file], { recursive: true });
    const server = await start(name);
    await server.stop();
  });

  test('a link in place of the ctl file is refused, one in place of the data file replaced; neither is followed', async () => {
    const name = regionName();
    const paths = regionPaths(name, SHM);
    const target = temporaryPath();
    writeFileSync(target, 'untouched', { mode: 0o644 });
    symlinkSync(target, paths.ctl);
    expect((await failureOf(start(name))).code).toBe('ERR_KVS_NOT_OURS');
    expect(readlinkSync(paths.ctl)).toBe(target);
    rmSync(paths.ctl);
    symlinkSync(target, paths.data);
    const server = await start(name);
    expect(lstatSync(paths.data).isFile()).toBe(true);
    await server.stop();
    expect(readFileSync(target, 'utf8')).toBe('untouched');
    expect(modeOf(target)).toBe(0o644);
  });

  test.each(['a link', 'a file', 'a FIFO of another user'])('%s in place of a doorbell is not used', async (what) => {
    const name = regionName();
    const bell = regionPaths(name, SHM).bell(0);
    const target = temporaryPath();
    writeFileSync(target, 'untouched');
    if (what === 'a link') symlinkSync(target, bell);
    else if (what === 'a file') writeFileSync(bell, 'untouched');
    else {
      native.makeFifo(bell, 0o666);
      // Without root: another kind of file that is not for us either.
      if (isRoot) chownSync(bell, FOREIGNER, FOREIGNER);
      else {
        rmSync(bell);
        mkdirSync(bell);
      }
    }
    const before = lstatSync(bell);
    await startServer({}, name);
    const client = await connect(name);
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
    // Its timer finds the answers.
    expect(await Promise.all(keys.map((key) => client.set(key, 'x'.repeat(5000))))).toEqual(keys.map(() => true));
    const { ino, mode, uid, size } = lstatSync(bell);
    expect({ ino, mode, uid, size }).toEqual({
      ino: before.ino,
      mode: before.mode,
      uid: before.uid,
      size: before.size,
    });
    expect(readFileSync(target, 'utf8')).toBe('untouched');
  });

  test('a ringer writes into nothing but a FIFO', async () => {
    const { name } = await startServer();
    const client = await connect(name);
    const bell = regionPaths(name, SHM).bell(1);
    writeFileSync(bell, 'untouched');
    const { ctl, geometry } = attachTestRegion(name);
    // A client that waits for a slot, by what anybody can write: the server wakes it.
    const record = clientBase({ geometry }, 1);
    ctl.words[record + ClientRecord.inUse] = 1;
    ctl.words[record + ClientRecord.armed] = 1;
    ctl.words[record + ClientRecord.starving] = 1;
    await until(() => {
      client.setSync('k', 'v');
      return ctl.words[record + ClientRecord.armed] === 0;
    });
    expect(readFileSync(bell, 'utf8')).toBe('untouched');
  });
});

test('nobody signals a process that shared memory names', async () => {
  const { name } = await startServer();
  const client = await connect(name);
  const bystander = await Peer.start('service/member', JSON.stringify({ name, uid: FOREIGNER, group: GROUP }));
  const { ctl, geometry } = attachTestRegion(name);
  const pid = bystander.process.pid!;
  const victim = await Peer.start('service/client', JSON.stringify({ name }));
  const before = clientsInUse({ ctl, geometry });
  for (const index of before) ctl.words[clientBase({ geometry }, index) + ClientRecord.pid] = pid;
  ctl.words[CtlHeader.serverPid] = pid;
  await victim.kill();
  await until(() => {
    client.setSync('k', 'v');
    return clientsInUse({ ctl, geometry }).length < before.length;
  });
  ctl.words[CtlHeader.serverPid] = pid;
  // A second server of the name says who it is that runs, and leaves it alone.
  expect((await failureOf(start(name))).code).toBe('ERR_KVS_ALREADY_RUNNING');
  expect(await bystander.tell('connect', 1)).toBe(isRoot ? 'ERR_KVS_NOT_OURS' : 'connected');
  expect(bystander.process.signalCode).toBeNull();
});
