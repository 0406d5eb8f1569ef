/**
 * A region of shared memory as one process holds it: the ctl segment with its geometry, and the data segment.
 * The server creates it (createRegion) and holds the lease on byte 0 of the ctl file for life; clients attach.
 * Creation order: ctl is made without a name, locked and filled, then linked (this decides who owns the name); then data
 * is made and linked; `state` becomes ready last. Death in between leaves a free lease, which the next server replaces.
 */
import { randomFillSync } from 'node:crypto';
import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';

import { KvsError } from '../errors.js';
import { type MappedViews, native } from '../native.js';
import {
  CTL_MAGIC,
  CtlHeader,
  DATA_MAGIC,
  DataHeader,
  type Geometry,
  geometryOf,
  LAYOUT_VERSION,
  RegionState,
  type RegionShape,
  SERVER_LEASE_BYTE,
} from './layout.js';
import {
  checkTrust,
  closeQuietly,
  corrupt,
  noRegion,
  openRegionFile,
  readCtlHeader,
  type RegionPaths,
  regionIdOf,
  regionPaths,
  removeBells,
  removeFile,
} from './region-files.js';
import { mapViews, type SegmentViews, viewsOf } from './segment.js';
import { load } from './words.js';

export interface Region {
  readonly name: string;
  readonly shmDir: string;
  readonly paths: RegionPaths;
  readonly geometry: Geometry;
  readonly ctl: SegmentViews;
  /** Holds this process' leases and nothing else: closing it gives them up, whoever still has the segment mapped. */
  readonly ctlFd: number;
  readonly regionId: string;
}

export interface OwnedRegion extends Region {
  readonly data: SegmentViews;
  /** Whether the region of a dead server was found and replaced. */
  readonly replacedStale: boolean;
}

export interface CreateRegionOptions {
  readonly name: string;
  readonly shmDir: string;
  readonly shape: RegionShape;
  readonly version: string;
  /** Called when the name is ours, before most of the memory is reserved. */
  readonly onNamed?: (() => void) | undefined;
}

const MODE = 0o600;
const MAX_ATTEMPTS = 100;

/**
 * Creates the region and takes the server's lease, replacing the region of a dead server.
 * @throws KvsError ERR_KVS_ALREADY_RUNNING, ERR_KVS_NO_SPACE, ERR_KVS_NOT_OURS
 */
export function createRegion(options: CreateRegionOptions): OwnedRegion {
  const paths = regionPaths(options.name, options.shmDir);
  let replacedStale = false;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const found = retireStale(options, paths);
    if (found === 'changed') continue;
    replacedStale ||= found === 'retired';
    const region = linkRegion(options, paths, replacedStale);
    if (region !== undefined) return region;
  }
  throw new KvsError('ERR_KVS_ALREADY_RUNNING', `others keep starting and stopping servers named ${options.name}`);
}

/** Removes the files of a dead server of this name. @throws KvsError ERR_KVS_ALREADY_RUNNING */
function retireStale(options: CreateRegionOptions, paths: RegionPaths): 'none' | 'retired' | 'changed' {
  const fd = openRegionFile(paths.ctl, true);
  if (fd === undefined) return 'none';
  try {
    checkTrust(paths.ctl, fd);
    if (!native.tryLockByte(fd, SERVER_LEASE_BYTE)) throw alreadyRunning(options.name, paths.ctl, fd);
    // Whoever held the lease may have removed or replaced the name meanwhile.
    if (!isStillNamed(paths.ctl, fd)) return 'changed';
    // Tell clients that still have it mapped. (The header may be garbage; the file is ours to write all the same.)
    const stopped = new Int32Array([RegionState.stopped]);
    if (fstatSync(fd).size >= CtlHeader.sizeBytes) writeSync(fd, stopped, 0, 4, CtlHeader.state * 4);
    removeBells(options.name, options.shmDir);
    removeFile(paths.data);
    removeFile(paths.ctl);
    return 'retired';
  } finally {
    closeSync(fd);
  }
}

function isStillNamed(path: string, fd: number): boolean {
  const named = statSync(path, { throwIfNoEntry: false });
  const opened = fstatSync(fd);
  return named !== undefined && named.ino === opened.ino && named.dev === opened.dev;
}

function alreadyRunning(name: string, path: string, fd: number): KvsError {
  let pid: number | undefined;
  try {
    const { serverPid } = readCtlHeader(path, fd);
    // The pid of a dead server is still there while its successor clears its files away.
    if (existsSync(`/proc/${serverPid}`)) pid = serverPid;
  } catch {
    // Someone holds the lease on a file that we cannot read: refused all the same, without a pid.
  }
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  return new KvsError(
    'ERR_KVS_ALREADY_RUNNING',
    `a server named ${JSON.stringify(name)} is already running (${who}): stop it, or choose another --name`,
    pid === undefined ? {} : { pid },
  );
}

/** @returns undefined when another server took the name first */
function linkRegion(options: CreateRegionOptions, paths: RegionPaths, replacedStale: boolean): OwnedRegion | undefined {
  const { name, shmDir, shape, onNamed } = options;
  const geometry = geometryOf(shape);
  const { fd, buffer } = createSegment(shmDir, geometry.ctlBytes);
  let ctlFd: number | undefined;
  let isNamed = false;
  try {
    ctlFd = openAgain(fd);
    const ctl = viewsOf(buffer);
    native.tryLockByte(ctlFd, SERVER_LEASE_BYTE);
    fillCtlHeader(ctl, options);
    isNamed = linkName(fd, paths.ctl);
    if (!isNamed) {
      closeQuietly(ctlFd);
      return undefined;
    }
    onNamed?.();
    const data = linkData(options, paths, geometry, ctl);
    const regionId = regionIdOf(ctl, CtlHeader.regionId);
    return { name, shmDir, paths, geometry, ctl, data, ctlFd, regionId, replacedStale };
  } catch (error) {
    if (isNamed) removeFile(paths.ctl);
    if (ctlFd !== undefined) closeQuietly(ctlFd);
    throw error;
  } finally {
    closeQuietly(fd);
  }
}

function linkData(
  options: CreateRegionOptions,
  paths: RegionPaths,
  geometry: Geometry,
  ctl: SegmentViews,
): SegmentViews {
  const { fd, buffer } = createSegment(options.shmDir, geometry.dataBytes);
  try {
    const data = viewsOf(buffer);
    fillDataHeader(data, ctl);
    removeFile(paths.data);
    native.linkSegment(fd, paths.data);
    return data;
  } finally {
    closeQuietly(fd);
  }
}

/**
 * Opens an open file once more. A mapping keeps the open file that it was made from, and with it that file's locks,
 * even after close() and for other threads that share the mapping: leases need an open file of their own.
 */
const openAgain = (fd: number): number => openSync(`/proc/self/fd/${fd}`, constants.O_RDWR);

function linkName(fd: number, path: string): boolean {
  try {
    native.linkSegment(fd, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function createSegment(shmDir: string, bytes: number): { fd: number; buffer: SharedArrayBuffer } {
  try {
    return native.createSegment(shmDir, bytes, MODE);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'ENOMEM' && code !== 'EFBIG') throw unusable(shmDir, cause);
    throw new KvsError(
      'ERR_KVS_NO_SPACE',
      `${shmDir} has no room for ${Math.ceil(bytes / 2 ** 20)} MiB of shared memory (${code}): lower maxMemory, or make it ` +
        'larger (`mount -o remount,size=1G /dev/shm`; in Docker, run with `--shm-size=1g`)',
      { cause },
    );
  }
}

function unusable(shmDir: string, cause: unknown): KvsError {
  const { code } = cause as NodeJS.ErrnoException;
  const message = `shmDir ${shmDir} cannot hold shared memory (${code}): name a directory that exists, is ours to write, and is a tmpfs`;
  return new KvsError('ERR_KVS_SHM_DIR', message, { cause });
}

function fillCtlHeader({ words, floats, bytes }: SegmentViews, { shape, version }: CreateRegionOptions): void {
  words[CtlHeader.magic] = CTL_MAGIC;
  words[CtlHeader.layoutVersion] = LAYOUT_VERSION;
  words[CtlHeader.slots] = shape.slots;
  words[CtlHeader.stripes] = shape.stripes;
  words[CtlHeader.workers] = shape.workers;
  words[CtlHeader.maxValueBytes] = shape.maxValueBytes;
  floats[CtlHeader.maxMemoryBytes] = shape.maxMemoryBytes;
  words.set(randomFillSync(new Int32Array(2)), CtlHeader.regionId);
  floats[CtlHeader.createdAtMs] = Date.now();
  words[CtlHeader.serverPid] = process.pid;
  bytes.write(readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(), CtlHeader.bootId, 36, 'latin1');
  bytes.write(version, CtlHeader.version, 32, 'latin1');
  words[CtlHeader.state] = RegionState.starting;
  words[CtlHeader.epoch] = 1;
}

function fillDataHeader({ words }: SegmentViews, ctl: SegmentViews): void {
  words[DataHeader.magic] = DATA_MAGIC;
  words[DataHeader.layoutVersion] = LAYOUT_VERSION;
  words.set(ctl.words.subarray(CtlHeader.regionId, CtlHeader.regionId + 2), DataHeader.regionId);
  words.set(randomFillSync(new Int32Array(2)), DataHeader.hashSeed);
}

/**
 * Maps the ctl segment of a running server. It may still be starting: look at `regionState`.
 * @throws KvsError ERR_KVS_NO_REGION, ERR_KVS_NOT_OURS, ERR_KVS_CORRUPT, ERR_KVS_LAYOUT
 */
export function attachRegion(name: string, shmDir: string): Region {
  const paths = regionPaths(name, shmDir);
  const fd = openRegionFile(paths.ctl, true);
  if (fd === undefined) throw noRegion(name, paths.ctl);
  try {
    checkTrust(paths.ctl, fd);
    const { shape, regionId } = readCtlHeader(paths.ctl, fd);
    const geometry = geometryOf(shape);
    const ctl = viewsOf(native.mapSegment(fd, geometry.ctlBytes, true));
    return { name, shmDir, paths, geometry, ctl, ctlFd: openAgain(fd), regionId };
  } finally {
    closeQuietly(fd);
  }
}

export interface AttachedData extends SegmentViews {
  /** For views of parts of it; undefined: the system refuses. */
  readonly views: MappedViews | undefined;
}

/** Maps the data segment of an attached region, read-only. @throws KvsError ERR_KVS_CORRUPT, ERR_KVS_NOT_OURS */
export function attachData(region: Region): AttachedData {
  const path = region.paths.data;
  const fd = openRegionFile(path, false);
  if (fd === undefined) throw corrupt(path, 'is missing beside its ctl file');
  try {
    const { size } = checkTrust(path, fd);
    if (size !== region.geometry.dataBytes) {
      throw corrupt(path, `has ${size} bytes, its region needs ${region.geometry.dataBytes}`);
    }
    const data = viewsOf(native.mapSegment(fd, size, false));
    if (data.words[DataHeader.magic] !== DATA_MAGIC || regionIdOf(data, DataHeader.regionId) !== region.regionId) {
      throw corrupt(path, 'belongs to another region than its ctl file');
    }
    return { ...data, views: mapViews(fd, size) };
  } finally {
    closeQuietly(fd);
  }
}

export const regionState = (region: Region): number => load(region.ctl.words, CtlHeader.state);

/** Whether the server's process is alive, by its lease. */
export const isServerAlive = (region: Region): boolean => native.isByteLocked(region.ctlFd, SERVER_LEASE_BYTE);

/** Removes the names of an owned region and gives up the server's lease, in this order: nobody sees a name without. */
export function removeRegion(region: OwnedRegion): void {
  removeBells(region.name, region.shmDir);
  removeFile(region.paths.data);
  removeFile(region.paths.ctl);
  closeQuietly(region.ctlFd);
}
