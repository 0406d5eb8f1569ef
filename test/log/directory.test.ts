/** The directory of a log on a real file system: made, checked, locked; and a log in it. */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { expect, onTestFinished, test, vi } from 'vitest';

import { openLogDirectory } from '#dist/log/directory.js';
import { fileSystem } from '#dist/log/file-layer.js';
import { randomStoreId } from '#dist/log/header.js';
import { LogWriter } from '#dist/log/writer.js';
import { native } from '#dist/native.js';

import { encodeEffects, recoverState } from '../fixtures/log/model-store.js';
import { temporaryDirectory } from '../fixtures/processes.js';

const failing = (code: string) => ({
  ...fileSystem,
  open() {
    throw Object.assign(new Error(code), { code, syscall: 'open' });
  },
});

test('a missing directory is made for us alone, its files too', () => {
  const path = join(temporaryDirectory(), 'log');
  const directory = openLogDirectory(path);
  const log = LogWriter.open(directory, { storeId: randomStoreId(), nextSequence: 1 });
  const { views, bytes } = encodeEffects([{ type: 'put', key: 'a', value: '1' }], 1);
  log.append(views, 0, bytes);
  log.close();
  directory.close();
  expect(statSync(path).mode & 0o777).toBe(0o700);
  for (const file of readdirSync(path)) expect(statSync(join(path, file)).mode & 0o777).toBe(0o600);
  const again = openLogDirectory(path);
  const { state, report } = recoverState(again);
  expect(state.get('a')).toMatchObject({ value: '1', version: 1 });
  expect(report).toMatchObject({ lastSequence: 2, records: 2, torn: undefined });
  again.close();
});

test('a directory in use is refused, with the process that uses it', () => {
  const path = join(temporaryDirectory(), 'log');
  const first = openLogDirectory(path);
  expect(() => openLogDirectory(path)).toThrow(
    expect.objectContaining({ code: 'ERR_KVS_ALREADY_RUNNING', pid: process.pid }),
  );
  expect(() => openLogDirectory(path)).toThrow(`in use by another server (process ${process.pid})`);
  first.close();
  first.close();
  openLogDirectory(path).close();
});

test('whoever removes the lock file under a server lets nobody in', () => {
  const path = join(temporaryDirectory(), 'log');
  const first = openLogDirectory(path);
  unlinkSync(join(path, 'lock'));
  for (let i = 0; i < 2; i++) {
    expect(() => openLogDirectory(path)).toThrow(
      expect.objectContaining({ code: 'ERR_KVS_ALREADY_RUNNING', file: path }),
    );
  }
  first.close();
  openLogDirectory(path).close();
});

test('on a file system that cannot lock directories the lock file counts', () => {
  const path = join(temporaryDirectory(), 'log');
  const stub = vi.spyOn(native, 'tryLockDirectory').mockImplementation(() => {
    throw Object.assign(new Error('EBADF'), { code: 'EBADF', syscall: 'flock' });
  });
  onTestFinished(() => stub.mockRestore());
  const first = openLogDirectory(path);
  expect(() => openLogDirectory(path)).toThrow(expect.objectContaining({ code: 'ERR_KVS_ALREADY_RUNNING' }));
  first.close();
  openLogDirectory(path).close();
});

test('a directory that others may write to, or of another kind, is refused', () => {
  const parent = temporaryDirectory();
  const open = join(parent, 'open');
  mkdirSync(open);
  chmodSync(open, 0o770);
  expect(() => openLogDirectory(open)).toThrow(expect.objectContaining({ code: 'ERR_KVS_NOT_OURS' }));
  expect(() => openLogDirectory(open)).toThrow('has mode 770, others could write there: chmod 700 it');
  const file = join(parent, 'file');
  writeFileSync(file, '');
  expect(() => openLogDirectory(file)).toThrow(`${file} is not a directory`);
  expect(() => openLogDirectory(join(file, 'log'))).toThrow(expect.objectContaining({ code: 'ERR_KVS_LOG_DIR' }));
  expect(() => openLogDirectory(join(parent, 'missing', 'log'))).toThrow('create the directory that it is to be in');
});

test('a directory of another user is refused', () => {
  const path = join(temporaryDirectory(), 'log');
  mkdirSync(path, 0o700);
  const stat = (): ReturnType<typeof fileSystem.stat> => Object.assign(statSync(path), { uid: 4_000_000 });
  expect(() => openLogDirectory(path, { ...fileSystem, stat })).toThrow('belongs to uid 4000000, we are uid');
});

test('a read-only file system is told as such', () => {
  const path = join(temporaryDirectory(), 'log');
  mkdirSync(path, 0o700);
  expect(() => openLogDirectory(path, failing('EROFS'))).toThrow(expect.objectContaining({ code: 'ERR_KVS_LOG_DIR' }));
  expect(() => openLogDirectory(path, failing('EROFS'))).toThrow('the file system is read-only: mount it writable');
});

test('a lock file that is a link is not followed', () => {
  const parent = temporaryDirectory();
  const path = join(parent, 'log');
  mkdirSync(path, 0o700);
  const target = join(parent, 'precious');
  writeFileSync(target, 'as it was');
  symlinkSync(target, join(path, 'lock'));
  expect(() => openLogDirectory(path)).toThrow('it is a symbolic link');
  expect(readFileSync(target, 'utf8')).toBe('as it was');
});
