/** The directory of a log: made, checked and locked before anything in it is touched. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { KvsError } from '../errors.js';
import { onFile } from './failure.js';
import { type FileLayer, fileSystem } from './file-layer.js';
import { LOCK_FILE } from './names.js';

export interface LogDirectory {
  /** Absolute. */
  readonly path: string;
  readonly layer: FileLayer;
  /** Gives the lock up. Idempotent. */
  close(): void;
}

/** A directory that another thread of this process has opened, and keeps locked for as long as this one is used. */
export const borrowLogDirectory = (path: string): LogDirectory => ({ path, layer: fileSystem, close: () => {} });

const DIRECTORY_MODE = 0o700;
const OTHERS_MAY_WRITE = 0o022;
const PID_BYTES = 16;

/**
 * Opens a directory for one server: makes it (0700) if only its last part is missing, checks that it is ours and nobody
 * else may write there, and takes the lock, which ends with close() or the process.
 * @throws KvsError ERR_KVS_ALREADY_RUNNING (with `pid` if known), ERR_KVS_LOG_DIR (missing parent, read-only, no
 *   permission, not a directory), ERR_KVS_NOT_OURS (owner or mode)
 */
export function openLogDirectory(directory: string, layer: FileLayer = fileSystem): LogDirectory {
  const path = prepareLogDirectory(directory, layer);
  const lockPath = join(path, LOCK_FILE);
  const held = [onFile('open', lockPath, () => layer.open(lockPath, 'open'))];
  const close = (): void => {
    for (const fd of held.splice(0)) layer.close(fd);
  };
  try {
    const [fd] = held;
    if (!layer.lock(fd)) throw inUse(path, fd, layer);
    // Whoever removes the file lets nobody in.
    const own = onFile('open', path, () => layer.lockDirectory(path));
    if (own === undefined) throw inUse(path, fd, layer);
    held.push(own);
    notePid(fd, layer);
  } catch (error) {
    close();
    throw error;
  }
  return { path, layer, close };
}

/**
 * Whether a server could have the directory once a process with this pid has given it up.
 * @throws KvsError as openLogDirectory(); ERR_KVS_ALREADY_RUNNING only if another one is known to use it
 */
export function checkLogDirectory(directory: string, pid: number, layer: FileLayer = fileSystem): void {
  try {
    openLogDirectory(directory, layer).close();
  } catch (error) {
    const isInUse = error instanceof KvsError && error.code === 'ERR_KVS_ALREADY_RUNNING';
    if (!isInUse || (error.pid !== undefined && error.pid !== pid)) throw error;
  }
}

/** Makes it if need be, and checks it, without the lock. @returns its absolute path. @throws as openLogDirectory(), but for the lock */
function prepareLogDirectory(directory: string, layer: FileLayer = fileSystem): string {
  const path = resolve(directory);
  makeIfMissing(path, layer);
  checkTrust(path, layer);
  return path;
}

function makeIfMissing(path: string, layer: FileLayer): void {
  onFile('look at', path, () => {
    if (layer.stat(path) !== undefined) return;
    try {
      layer.makeDirectory(path, DIRECTORY_MODE);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
      throw error;
    }
    // A directory whose name a crash takes away takes all that was acknowledged with it.
    layer.syncDirectory(dirname(path));
  });
}

/** @throws KvsError ERR_KVS_LOG_DIR, ERR_KVS_NOT_OURS */
export function checkTrust(path: string, layer: FileLayer): void {
  const stats = onFile('look at', path, () => layer.stat(path));
  if (stats?.isDirectory() !== true) {
    throw new KvsError('ERR_KVS_LOG_DIR', `${path} is not a directory: choose another for the log`, { file: path });
  }
  const uid = process.geteuid?.() ?? -1;
  if (stats.uid !== uid) {
    const message = `${path} belongs to uid ${stats.uid}, we are uid ${uid}: run as its owner, or choose another directory for the log`;
    throw new KvsError('ERR_KVS_NOT_OURS', message, { file: path });
  }
  if ((stats.mode & OTHERS_MAY_WRITE) !== 0) {
    const mode = (stats.mode & 0o777).toString(8);
    const message = `${path} has mode ${mode}, others could write there: chmod 700 it, or choose another directory for the log`;
    throw new KvsError('ERR_KVS_NOT_OURS', message, { file: path });
  }
}

function inUse(path: string, fd: number, layer: FileLayer): KvsError {
  const bytes = new Uint8Array(PID_BYTES);
  const length = layer.read(fd, bytes, 0, PID_BYTES, 0);
  const pid = Number.parseInt(Buffer.from(bytes.subarray(0, length)).toString('latin1'), 10);
  // For people, and only where it can be true.
  const isKnown = pid > 0 && existsSync(`/proc/${pid}`);
  return new KvsError(
    'ERR_KVS_ALREADY_RUNNING',
    `${path} is in use by another server (${isKnown ? `process ${pid}` : 'another process'}): stop it, or choose another directory`,
    isKnown ? { pid, file: path } : { file: path },
  );
}

function notePid(fd: number, layer: FileLayer): void {
  try {
    const text = Buffer.from(`${process.pid}\n`);
    layer.truncate(fd, 0);
    layer.write(fd, text, 0, text.length, 0);
  } catch {
    // It only helps a message; a full disk is found out where it matters.
  }
}
