/**
 * A region of shared memory as one process holds it: the ctl segment with its geometry, and the data segment.
 * The server creates it, or takes over a dead one's (region-claim.ts), and holds the lease on byte 0 of the ctl file for
 * life; clients attach. Creation order: ctl is made without a name, locked and filled, then linked (this decides who owns
 * the name); then data is made and linked; `state` becomes ready last. Death in between leaves a free lease.
 */
import { randomFillSync } from 'node:crypto';

import { KvsError } from '../errors.js';
import { type MappedViews, native } from '../native.js';
import {
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
import { hostMs } from './clock.js';
import { isAsNoted, readDataHeader } from './header-copy.js';
import { checkTrust, OWN_MODE, shareWith } from './file-trust.js';
import {
  closeQuietly,
  corrupt,
  describeRegion,
  noRegion,
  openAgain,
  openRegionFile,
  readCtlHeader,
  type RegionPaths,
  regionIdOf,
  regionPaths,
  removeBells,
  removeFile,
  unusableDir,
} from './region-files.js';
import { mapViews, type SegmentViews, viewsOf } from './segment.js';
import { add, load } from './words.js';

export interface Region {
  readonly name: string;
  readonly shmDir: string;
  readonly paths: RegionPaths;
  readonly geometry: Geometry;
  readonly ctl: SegmentViews;
  /** Holds this process' leases and nothing else: closing it gives them up, whoever still has the segment mapped. */
  readonly ctlFd: number;
  readonly regionId: string;
  /** The group that shares the files, undefined: our user alone has them. */
  readonly group: number | undefined;
}

/** How a server came by its region. */
export type Origin =
  | { readonly kind: 'new' }
  /** A dead server's, or one that was kept: it has to be recovered before it is served. */
  | { readonly kind: 'taken-over' }
  /** Another was found that could not be used; `archive` is where its ctl file is now, undefined: it was removed. */
  | { readonly kind: 'replaced'; readonly reason: string; readonly archive: string | undefined };

export interface OwnedRegion extends Region {
  readonly data: SegmentViews;
  readonly origin: Origin;
}

export interface CreateRegionOptions {
  readonly name: string;
  readonly shmDir: string;
  readonly shape: RegionShape;
  readonly version: string;
  /** Whether to take memory in pages of 2 MiB, as far as the kernel has them. */
  readonly hugePages?: boolean;
  /** Whose members may attach too; undefined: our user alone may. */
  readonly group?: number | undefined;
  /** Called when the name is ours, before most of the memory is reserved. */
  readonly onNamed?: (() => void) | undefined;
}

const VERSION_BYTES = 32;

/**
 * Creates the region and takes the server's lease. @returns undefined when another server took the name first
 * @throws KvsError ERR_KVS_NO_SPACE, ERR_KVS_SHM_DIR
 */
export function createRegion(options: CreateRegionOptions, origin: Origin): OwnedRegion | undefined {
  const { name, shmDir, shape, onNamed, group } = options;
  const paths = regionPaths(name, shmDir);
  const geometry = geometryOf(shape);
  const { fd, buffer } = createSegment(options, geometry.ctlBytes);
  let ctlFd: number | undefined;
  let isNamed = false;
  try {
    shareWith(group, fd, 'ctl');
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
    return { name, shmDir, paths, geometry, ctl, data, ctlFd, regionId, group, origin };
  } catch (error) {
    if (isNamed) removeFile(paths.ctl);
    if (ctlFd !== undefined) closeQuietly(ctlFd);
    throw error;
  } finally {
    native.closeSegment(fd);
  }
}

function linkData(
  options: CreateRegionOptions,
  paths: RegionPaths,
  geometry: Geometry,
  ctl: SegmentViews,
): SegmentViews {
  const { fd, buffer } = createSegment(options, geometry.dataBytes);
  try {
    const data = viewsOf(buffer);
    fillDataHeader(data, ctl);
    shareWith(options.group, fd, 'data');
    removeFile(paths.data);
    if (!linkName(fd, paths.data)) throw occupied(paths.data);
    return data;
  } finally {
    native.closeSegment(fd);
  }
}

function linkName(fd: number, path: string): boolean {
  try {
    native.linkSegment(fd, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

const occupied = (path: string): KvsError =>
  new KvsError('ERR_KVS_NOT_OURS', `another process keeps putting a file at ${path}: choose another name`);

function createSegment(
  { shmDir, hugePages, shape }: CreateRegionOptions,
  bytes: number,
): { fd: number; buffer: SharedArrayBuffer } {
  try {
    return native.createSegment(shmDir, bytes, OWN_MODE, hugePages);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'ENOMEM' && code !== 'EFBIG') throw unusableDir(shmDir, cause);
    const { ctlBytes, dataBytes } = geometryOf(shape);
    throw new KvsError(
      'ERR_KVS_NO_SPACE',
      `${shmDir} has no room for ${Math.ceil((ctlBytes + dataBytes) / 2 ** 20)} MiB of shared memory (${code}): lower maxMemory, or make it ` +
        'larger (`mount -o remount,size=1G /dev/shm`; in Docker, run with `--shm-size=1g`)',
      { cause },
    );
  }
}

function fillCtlHeader(ctl: SegmentViews, { shape, version }: CreateRegionOptions): void {
  describeRegion(ctl, shape);
  ctl.words.set(randomFillSync(new Int32Array(2)), CtlHeader.regionId);
  signHeader(ctl, shape.workers, version);
  ctl.words[CtlHeader.state] = RegionState.starting;
}

function fillDataHeader({ words }: SegmentViews, ctl: SegmentViews): void {
  words[DataHeader.magic] = DATA_MAGIC;
  words[DataHeader.layoutVersion] = LAYOUT_VERSION;
  words.set(ctl.words.subarray(CtlHeader.regionId, CtlHeader.regionId + 2), DataHeader.regionId);
  words.set(randomFillSync(new Int32Array(2)), DataHeader.hashSeed);
}

/** Says in the header of a region whose server this process is. */
export function signHeader({ words, floats, bytes }: SegmentViews, workers: number, version: string): void {
  words[CtlHeader.workers] = workers;
  floats[CtlHeader.startedAtMs] = hostMs();
  words[CtlHeader.serverPid] = process.pid;
  bytes.fill(0, CtlHeader.version, CtlHeader.version + VERSION_BYTES);
  bytes.write(version, CtlHeader.version, VERSION_BYTES, 'latin1');
  add(words, CtlHeader.epoch, 1);
}

/**
 * Maps the ctl segment of a running server. It may still be starting: look at `regionState`.
 * @param group whose members may have made it, besides our user
 * @throws KvsError ERR_KVS_NO_REGION, ERR_KVS_NOT_OURS, ERR_KVS_CORRUPT, ERR_KVS_LAYOUT
 */
export function attachRegion(name: string, shmDir: string, group?: number): Region {
  const paths = regionPaths(name, shmDir);
  const fd = openRegionFile(paths.ctl, true);
  if (fd === undefined) throw noRegion(name, paths.ctl);
  try {
    checkTrust(paths.ctl, fd, group);
    const { shape, regionId } = readCtlHeader(paths.ctl, fd);
    const geometry = geometryOf(shape);
    const ctl = viewsOf(native.mapSegment(fd, geometry.ctlBytes, true));
    return { name, shmDir, paths, geometry, ctl, ctlFd: openAgain(fd), regionId, group };
  } finally {
    closeQuietly(fd);
  }
}

export interface AttachedData extends SegmentViews {
  /** For views of parts of it; undefined: the system refuses. */
  readonly views: MappedViews | undefined;
}

/**
 * Maps the data segment of an attached region, read-only, once it is what the ctl header tells of.
 * @throws KvsError ERR_KVS_CORRUPT, ERR_KVS_NOT_OURS
 */
export function attachData(region: Region): AttachedData {
  return withCheckedData(region, (fd) => {
    const { dataBytes } = region.geometry;
    return { ...viewsOf(native.mapSegment(fd, dataBytes, false)), views: mapViews(fd, dataBytes) };
  });
}

/** For those who do not map the data segment: whether it is what the ctl header tells of. @throws KvsError as attachData() */
export const checkData = (region: Region): void => withCheckedData(region, () => {});

function withCheckedData<T>(region: Region, use: (fd: number) => T): T {
  const path = region.paths.data;
  const fd = openRegionFile(path, false);
  if (fd === undefined) throw corrupt(path, 'is missing beside its ctl file');
  try {
    const { size } = checkTrust(path, fd, region.group);
    if (size !== region.geometry.dataBytes) {
      throw corrupt(path, `has ${size} bytes, its region needs ${region.geometry.dataBytes}`);
    }
    const header = readDataHeader(fd);
    if (header.words[DataHeader.magic] !== DATA_MAGIC || regionIdOf(header, DataHeader.regionId) !== region.regionId) {
      throw corrupt(path, 'belongs to another region than its ctl file');
    }
    if (!isAsNoted(header, region.geometry)) throw corrupt(path, 'has another shape than its ctl file says');
    return use(fd);
  } finally {
    closeQuietly(fd);
  }
}

export const regionState = (region: Region): number => load(region.ctl.words, CtlHeader.state);

/** Whether the server's process is alive, by its lease. */
export const isServerAlive = (region: Region): boolean => native.isByteLocked(region.ctlFd, SERVER_LEASE_BYTE);

/** Gives up the server's lease and leaves all else to the next server. */
export function leaveRegion(region: OwnedRegion): void {
  closeQuietly(region.ctlFd);
}

/** Removes the names of an owned region and gives up the server's lease, in this order: nobody sees a name without. */
export function removeRegion(region: OwnedRegion): void {
  removeBells(region.name, region.shmDir);
  removeFile(region.paths.data);
  removeFile(region.paths.ctl);
  closeQuietly(region.ctlFd);
}
