import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { native } from '#dist/native.js';

import { Peer, temporaryDirectory } from '../fixtures/processes.js';

function lockFile() {
  const directory = temporaryDirectory();
  const path = join(directory, 'locks');
  const { fd } = native.createSegment(directory, 4096, 0o600);
  native.linkSegment(fd, path);
  return { path, fd };
}

test('a locked byte is locked for other open files and not for its own', () => {
  const { path, fd } = lockFile();
  const other = openSync(path, 'r+');
  expect(native.isByteLocked(other, 64)).toBe(false);
  expect(native.tryLockByte(fd, 64)).toBe(true);
  expect(native.tryLockByte(fd, 64)).toBe(true);
  expect(native.isByteLocked(fd, 64)).toBe(false);
  expect(native.isByteLocked(other, 64)).toBe(true);
  expect(native.tryLockByte(other, 64)).toBe(false);
  closeSync(other);
  closeSync(fd);
});

test('a lock covers its one byte, wherever in or beyond the file', () => {
  const { path, fd } = lockFile();
  const other = openSync(path, 'r+');
  for (const byte of [0, 64, 2 ** 40]) {
    expect(native.tryLockByte(fd, byte)).toBe(true);
    expect(native.isByteLocked(other, byte)).toBe(true);
    expect(native.isByteLocked(other, byte + 1)).toBe(false);
    if (byte > 0) expect(native.isByteLocked(other, byte - 1)).toBe(false);
  }
  closeSync(other);
  closeSync(fd);
});

test('an unlocked byte can be taken by another open file', () => {
  const { path, fd } = lockFile();
  const other = openSync(path, 'r+');
  native.tryLockByte(fd, 0);
  native.unlockByte(fd, 0);
  native.unlockByte(fd, 0);
  expect(native.tryLockByte(other, 0)).toBe(true);
  expect(native.tryLockByte(fd, 0)).toBe(false);
  closeSync(other);
  expect(native.tryLockByte(fd, 0)).toBe(true);
  closeSync(fd);
});

test('closing another descriptor of the same file keeps the lock', () => {
  const { path, fd } = lockFile();
  native.tryLockByte(fd, 3);
  closeSync(openSync(path, 'r+'));
  const other = openSync(path, 'r+');
  expect(native.isByteLocked(other, 3)).toBe(true);
  closeSync(other);
  closeSync(fd);
});

test('another process’s lock is seen, and its SIGKILL releases it', async () => {
  const { path, fd } = lockFile();
  const peer = await Peer.open(path);
  expect(await peer.tell('lock', 70)).toBe(true);
  expect(native.isByteLocked(fd, 70)).toBe(true);
  expect(native.tryLockByte(fd, 70)).toBe(false);
  peer.process.kill('SIGKILL');
  expect(await peer.ended).toEqual({ code: null, signal: 'SIGKILL' });
  expect(native.isByteLocked(fd, 70)).toBe(false);
  expect(native.tryLockByte(fd, 70)).toBe(true);
  closeSync(fd);
});

test('a stopped process keeps its lock', async () => {
  const { path, fd } = lockFile();
  const peer = await Peer.open(path);
  await peer.tell('lock', 70);
  peer.process.kill('SIGSTOP');
  expect(native.tryLockByte(fd, 70)).toBe(false);
  peer.process.kill('SIGCONT');
  await peer.tell('unlock', 70);
  expect(native.tryLockByte(fd, 70)).toBe(true);
  closeSync(fd);
});

test('a descriptor that is not open throws EBADF', () => {
  expect(() => native.tryLockByte(1_000_000, 0)).toThrow(
    expect.objectContaining({
      code: 'EBADF',
      errno: 9,
      syscall: 'fcntl',
      message: 'EBADF: bad file descriptor, fcntl',
    }),
  );
});

test('a directory is locked as a whole, by one open description', () => {
  const path = temporaryDirectory();
  const [first, second] = [openSync(path, 'r'), openSync(path, 'r')];
  expect(native.tryLockDirectory(first)).toBe(true);
  expect(native.tryLockDirectory(first)).toBe(true);
  expect(native.tryLockDirectory(second)).toBe(false);
  closeSync(first);
  expect(native.tryLockDirectory(second)).toBe(true);
  closeSync(second);
  expect(() => native.tryLockDirectory(1_000_000)).toThrow(
    expect.objectContaining({ code: 'EBADF', syscall: 'flock' }),
  );
});
