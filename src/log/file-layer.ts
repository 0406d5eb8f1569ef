/**
 * Every access of the log to the file system, so that tests can record it, fail it, and replay what a crash would leave.
 * Synchronous: the log has a thread of its own. Failures are system errors with `code` and `syscall`.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';

import { native } from '../native.js';

/** `create`: a new file of mode 0600, EEXIST if there is one. `read`: as it is. `write`: an existing one. `open`: either. */
export type OpenKind = 'create' | 'read' | 'write' | 'open';

export interface FileLayer {
  open(path: string, kind: OpenKind): number;
  close(fd: number): void;
  /** @returns how many bytes were read, fewer at the end of the file */
  read(fd: number, target: Uint8Array, offset: number, bytes: number, position: number): number;
  /** @returns how many bytes were written, at least one; may be fewer than asked for */
  write(fd: number, source: Uint8Array, offset: number, bytes: number, position: number): number;
  fdatasync(fd: number): void;
  /** A hint: begins to write the bytes between to the disk, and frees the memory of the first `written`. */
  dropBehind(fd: number, start: number, end: number, written: number): void;
  truncate(fd: number, bytes: number): void;
  rename(from: string, to: string): void;
  unlink(path: string): void;
  /** Makes what was created, renamed and unlinked in a directory durable. */
  syncDirectory(path: string): void;
  /** Names in a directory, in any order. */
  list(path: string): string[];
  stat(path: string): Stats | undefined;
  /** Bytes of an open file. */
  size(fd: number): number;
  makeDirectory(path: string, mode: number): void;
  /** Takes the exclusive lock of an open file, which the kernel drops with it. @returns false if another has it */
  lock(fd: number): boolean;
  /**
   * Opens a directory and takes its own lock, if the file system has such.
   * @returns its descriptor, which holds the lock; undefined if another has it
   */
  lockDirectory(path: string): number | undefined;
}

const FLAGS: Record<OpenKind, number> = {
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  open: constants.O_RDWR | constants.O_CREAT,
};
const FILE_MODE = 0o600;

/** The file system itself. Links are not followed, and a FIFO does not block. */
export const fileSystem: FileLayer = {
  open(path, kind) {
    const fd = openSync(path, FLAGS[kind] | constants.O_NOFOLLOW | constants.O_NONBLOCK, FILE_MODE);
    // The umask may have taken from the mode.
    if (kind === 'create') fchmodSync(fd, FILE_MODE);
    return fd;
  },
  close: (fd) => closeSync(fd),
  read: (fd, target, offset, bytes, position) => readSync(fd, target, offset, bytes, position),
  write: (fd, source, offset, bytes, position) => writeSync(fd, source, offset, bytes, position),
  fdatasync: (fd) => fdatasyncSync(fd),
  dropBehind: (fd, start, end, written) => native.dropBehind(fd, start, end, written),
  truncate: (fd, bytes) => ftruncateSync(fd, bytes),
  rename: (from, to) => renameSync(from, to),
  unlink: (path) => unlinkSync(path),
  syncDirectory(path) {
    const fd = openDirectory(path);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },
  list: (path) => readdirSync(path),
  stat: (path) => statSync(path, { throwIfNoEntry: false }),
  size: (fd) => fstatSync(fd).size,
  makeDirectory(path, mode) {
    mkdirSync(path, { mode });
    chmodSync(path, mode);
  },
  lock: (fd) => native.tryLockByte(fd, 0),
  lockDirectory(path) {
    const fd = openDirectory(path);
    try {
      if (native.tryLockDirectory(fd)) return fd;
    } catch {
      // NFS and others have none: what there is then is the lock of the file.
      return fd;
    }
    closeSync(fd);
    return undefined;
  },
};

const openDirectory = (path: string): number => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);

/** Opens the file for `act` alone. */
export function withFile<R>(
  layer: FileLayer,
  path: string,
  kind: Parameters<FileLayer['open']>[1],
  act: (fd: number) => R,
): R {
  const fd = layer.open(path, kind);
  try {
    return act(fd);
  } finally {
    layer.close(fd);
  }
}

/** Writes all of it, however little the file system takes at a time. */
export function writeAll(
  layer: FileLayer,
  fd: number,
  source: Uint8Array,
  offset: number,
  bytes: number,
  position: number,
): void {
  for (let done = 0; done < bytes;) done += layer.write(fd, source, offset + done, bytes - done, position + done);
}
