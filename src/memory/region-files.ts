/**
 * Names, header checks and trust of region files, before anything is mapped.
 * `<dir>/kvs.<name>.ctl`, `.data` and one FIFO `.bell.<i>` per client index in use.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { KvsError } from '../errors.js';
import type { SegmentViews } from './segment.js';
import { viewsOf } from './segment.js';
import { CTL_MAGIC, CtlHeader, geometryOf, LAYOUT_VERSION, MAX_WORKERS, type RegionShape } from './layout.js';

/** Where region files are unless an option says otherwise. */
export const defaultShmDir = (): string => process.env['KVS_SHM_DIR'] ?? SHM_DIR;
const SHM_DIR = '/dev/shm';

export const NAME_PATTERN = /^[A-Za-z0-9._-]{1,64}$/;

export interface RegionPaths {
  readonly ctl: string;
  readonly data: string;
  readonly bell: (client: number) => string;
  /** Where the files of a region go that could not be used: no name of a region leads there. */
  readonly archivedCtl: string;
  readonly archivedData: string;
}

/** @throws TypeError when the name is not 1 to 64 of `A-Z a-z 0-9 . _ -` */
export function regionPaths(name: string, shmDir: string): RegionPaths {
  if (typeof name !== 'string' || !NAME_PATTERN.test(name)) {
    throw new TypeError(
      `name must be 1 to 64 characters of A-Z a-z 0-9 . _ -, got ${JSON.stringify(name) ?? typeof name}`,
    );
  }
  const prefix = join(shmDir, `kvs.${name}.`);
  return {
    ctl: `${prefix}ctl`,
    data: `${prefix}data`,
    bell: (client) => `${prefix}bell.${client}`,
    archivedCtl: `${prefix}ctl.old`,
    archivedData: `${prefix}data.old`,
  };
}

/** Flags for whatever may lie at the path: links are not followed, and a FIFO does not block. */
const OPEN_FLAGS = constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** What open() answers when the path is of another user, or no plain file. A directory that may not be entered: EACCES too. */
const FOREIGN = new Set(['EACCES', 'EPERM', 'ELOOP', 'EISDIR', 'ENXIO']);

/** Opens a region file. @returns undefined when it does not exist */
export function openRegionFile(path: string, writable: boolean): number | undefined {
  try {
    return openSync(path, (writable ? constants.O_RDWR : constants.O_RDONLY) | OPEN_FLAGS);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR' || (code === 'EACCES' && !mayEnter(dirname(path)))) throw unusableDir(dirname(path), cause);
    if (FOREIGN.has(code)) {
      throw new KvsError(
        'ERR_KVS_NOT_OURS',
        `${path} may not be opened (${code}): run as the user that started the server, or remove the file`,
        { cause },
      );
    }
    throw cause;
  }
}

function mayEnter(dir: string): boolean {
  try {
    statSync(`${dir}/.`);
    return true;
  } catch {
    return false;
  }
}

/** @param cause whose code says why */
export function unusableDir(shmDir: string, cause: unknown): KvsError {
  const { code } = cause as NodeJS.ErrnoException;
  const message = `shmDir ${shmDir} cannot hold shared memory (${code}): name a directory that exists, is ours to write, and is a tmpfs`;
  return new KvsError('ERR_KVS_SHM_DIR', message, { cause });
}

/**
 * Opens an open file once more. A mapping keeps the open file that it was made from, and with it that file's locks,
 * even after close() and for other threads that share the mapping: leases need an open file of their own.
 */
export const openAgain = (fd: number): number => openSync(`/proc/self/fd/${fd}`, constants.O_RDWR);

export interface CtlIdentity {
  readonly shape: RegionShape;
  readonly serverPid: number;
  readonly state: number;
  readonly regionId: string;
  readonly bootId: string;
}

const BOOT_ID_BYTES = 36;

/** Of this boot of the host: shared memory on a disk outlives it. */
export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

/**
 * Reads and checks the header of a ctl file through `read`, so that nothing unsound is ever mapped.
 * @throws KvsError ERR_KVS_CORRUPT (truncated or garbage) or ERR_KVS_LAYOUT (another version)
 */
export function readCtlHeader(path: string, fd: number): CtlIdentity {
  const header = viewsOf(new SharedArrayBuffer(CtlHeader.sizeBytes));
  const bytesRead = readSync(fd, header.bytes, 0, CtlHeader.sizeBytes, 0);
  if (bytesRead < CtlHeader.sizeBytes || header.words[CtlHeader.magic] !== CTL_MAGIC) {
    const found = bytesRead < CtlHeader.sizeBytes ? `only ${bytesRead} bytes` : 'no magic number';
    throw corrupt(path, `is not a shm-kvs region (${found})`);
  }
  const version = header.words[CtlHeader.layoutVersion];
  if (version !== LAYOUT_VERSION) {
    throw new KvsError(
      'ERR_KVS_LAYOUT',
      `${path} has layout version ${version}, this shm-kvs reads ${LAYOUT_VERSION}: ` +
        'use the same version of shm-kvs for the server and all clients',
    );
  }
  const shape = readShape(header);
  if (!isShape(shape)) throw corrupt(path, `names an impossible geometry ${JSON.stringify(shape)}`);
  const { size } = fstatSync(fd);
  const { ctlBytes } = geometryOf(shape);
  if (size !== ctlBytes) throw corrupt(path, `has ${size} bytes, its header says ${ctlBytes}`);
  return {
    shape,
    serverPid: header.words[CtlHeader.serverPid] ?? 0,
    state: header.words[CtlHeader.state] ?? 0,
    regionId: regionIdOf(header, CtlHeader.regionId),
    bootId: header.bytes.toString('latin1', CtlHeader.bootId, CtlHeader.bootId + BOOT_ID_BYTES),
  };
}

export const readShape = ({ words, floats }: SegmentViews): RegionShape => ({
  slots: words[CtlHeader.slots] ?? 0,
  stripes: words[CtlHeader.stripes] ?? 0,
  workers: words[CtlHeader.workers] ?? 0,
  maxValueBytes: words[CtlHeader.maxValueBytes] ?? 0,
  maxMemoryBytes: floats[CtlHeader.maxMemoryBytes] ?? 0,
  logBytes: words[CtlHeader.logBytes] ?? 0,
});

/** Writes what a ctl header says of its region on this host; readShape() reads it. */
export function describeRegion({ words, floats, bytes }: SegmentViews, shape: RegionShape): void {
  words[CtlHeader.magic] = CTL_MAGIC;
  words[CtlHeader.layoutVersion] = LAYOUT_VERSION;
  words[CtlHeader.slots] = shape.slots;
  words[CtlHeader.stripes] = shape.stripes;
  words[CtlHeader.workers] = shape.workers;
  words[CtlHeader.maxValueBytes] = shape.maxValueBytes;
  floats[CtlHeader.maxMemoryBytes] = shape.maxMemoryBytes;
  words[CtlHeader.logBytes] = shape.logBytes ?? 0;
  bytes.write(bootId(), CtlHeader.bootId, BOOT_ID_BYTES, 'latin1');
}

/** What this layout can hold at all; the server's options are stricter. */
export function isShape(shape: RegionShape): boolean {
  const isPowerOfTwo = (n: number) => n > 0 && (n & (n - 1)) === 0;
  const { logBytes = 0 } = shape;
  return (
    isPowerOfTwo(shape.slots) &&
    shape.slots <= LIMITS.slots.max &&
    isPowerOfTwo(shape.stripes) &&
    shape.stripes <= LIMITS.stripes.max &&
    shape.workers >= 1 &&
    shape.workers <= MAX_WORKERS &&
    shape.maxValueBytes >= 0 &&
    shape.maxValueBytes <= LIMITS.maxValueBytes.max &&
    shape.maxMemoryBytes >= LIMITS.maxMemory.min &&
    shape.maxMemoryBytes <= LIMITS.maxMemory.max &&
    shape.maxMemoryBytes % 4096 === 0 &&
    (logBytes === 0 || (isPowerOfTwo(logBytes) && logBytes >= LIMITS.logBytes.min && logBytes <= LIMITS.logBytes.max))
  );
}

/** Bounds of the shape, shared by the options of the server and the check of a header. */
export const LIMITS = {
  slots: { min: 16, max: 4096 },
  stripes: { min: 1, max: 1024 },
  workers: { min: 1, max: MAX_WORKERS },
  maxValueBytes: { min: 1, max: 64 * 2 ** 20 },
  maxMemory: { min: 4 * 2 ** 20, max: 4 * 2 ** 30 },
  logBytes: { min: 2 ** 16, max: 2 ** 30 },
} as const;

/** The random identity that the two segments of a region share, for comparison. */
export function regionIdOf(views: SegmentViews, firstWord: number): string {
  const [high, low] = [views.words[firstWord] ?? 0, views.words[firstWord + 1] ?? 0];
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');
}

export const corrupt = (path: string, what: string): KvsError =>
  new KvsError('ERR_KVS_CORRUPT', `${path} ${what}: stop its processes, remove the file and start the server again`);

/** What starts a server that serves there. */
export const startCommand = (name: string, shmDir: string): string =>
  `\`kvs-server --name ${name}${shmDir === SHM_DIR ? '' : ` --shm-dir ${shmDir}`}\``;

export const noRegion = (name: string, path: string): KvsError =>
  new KvsError(
    'ERR_KVS_NO_REGION',
    `no server named ${JSON.stringify(name)} runs on this host (${path} does not exist): ` +
      `start one with ${startCommand(name, dirname(path))}, or connect with { autostart: true }`,
  );

/** Removes a file that may be gone already. @throws KvsError ERR_KVS_NOT_OURS */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw notRemovable(path, cause);
  }
}

/** Gives a file another name. @throws KvsError ERR_KVS_NOT_OURS */
export function moveFile(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (cause) {
    throw notRemovable(from, cause);
  }
}

/** What unlink() and rename() answer when the file, or what lies where it is to go, is of another user, or no file. */
const NOT_REMOVABLE = new Set(['EACCES', 'EPERM', 'EISDIR', 'ENOTEMPTY', 'EEXIST']);

function notRemovable(path: string, cause: unknown): unknown {
  const { code = '' } = cause as NodeJS.ErrnoException;
  if (!NOT_REMOVABLE.has(code)) return cause;
  const message = `${path} is in the way and may not be removed (${code}): have its owner remove it, or choose another name`;
  return new KvsError('ERR_KVS_NOT_OURS', message, { cause });
}

/** Removes the doorbell FIFOs of a region. What others put under such a name, and we may not remove, stays. */
export function removeBells(name: string, shmDir: string): void {
  const prefix = `kvs.${name}.bell.`;
  for (const file of readdirSync(shmDir)) {
    if (!file.startsWith(prefix)) continue;
    try {
      removeFile(join(shmDir, file));
    } catch {
      // A directory, or another user's: a client of that index does without a doorbell.
    }
  }
}

export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Closing twice or after teardown changes nothing.
  }
}
