/**
 * How a server comes by its region: a new one; or the one that a dead server, or one that was stopped to be followed,
 * has left, with all that is in it; or a new one in place of one that will not do. What is put aside is archived, one per
 * name: the next archive takes its place, and it goes when there is no room for a region beside it.
 * The server's lease decides: whoever holds it may do all of this, and a death in between only frees it.
 */
import { closeSync, existsSync, fstatSync, statSync, writeSync } from 'node:fs';

import { KvsError, type KvsErrorCode } from '../errors.js';
import { native } from '../native.js';
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
import { restoreHeader } from './header-copy.js';
import { isBehindGap } from './log-layout.js';
import { checkTrust, shareAgain } from './file-trust.js';
import {
  bootId,
  closeQuietly,
  type CtlIdentity,
  moveFile,
  openAgain,
  openRegionFile,
  readCtlHeader,
  type RegionPaths,
  regionIdOf,
  regionPaths,
  removeBells,
  removeFile,
} from './region-files.js';
import { createRegion, type CreateRegionOptions, type Origin, type OwnedRegion, signHeader } from './region.js';
import { type SegmentViews, viewsOf } from './segment.js';
import { store } from './words.js';

export interface ClaimOptions extends CreateRegionOptions {
  /** What was asked for by name: a region that differs will not do. The number of workers never matters. */
  readonly asked: Partial<RegionShape>;
  /** Whether to start empty in any case. */
  readonly fresh: boolean;
  /** Called before a server that runs is asked to leave, with what it serves and its pid. What it throws leaves all as it was. */
  readonly checkTakeover?: ((geometry: Geometry, pid: number) => void) | undefined;
  /** Called before a region is put aside that may hold what is nowhere else. What it throws leaves all as it was found. */
  readonly salvage?: ((left: LeftRegion) => void) | undefined;
}

/** A region that is whole, and not served. */
export type LeftRegion = Pick<OwnedRegion, 'name' | 'data' | 'geometry'>;

/** Servers in a row that may die over a region before it is put aside. */
export const MAX_RECOVERIES = 2;
const MAX_ATTEMPTS = 100;

/** A region that will not do. `isWorthless`: nothing is lost by removing it. */
interface Unfit {
  readonly reason: string;
  readonly isWorthless: boolean;
  readonly left?: LeftRegion;
}

/** @throws KvsError ERR_KVS_ALREADY_RUNNING, ERR_KVS_NO_SPACE, ERR_KVS_NOT_OURS, ERR_KVS_SHM_DIR */
export function claimRegion(options: ClaimOptions): OwnedRegion {
  const paths = regionPaths(options.name, options.shmDir);
  let origin: Origin = { kind: 'new' };
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const found = claimFound(options, paths);
    if (found === 'changed') continue;
    if (found !== undefined && 'ctl' in found) return found;
    origin = found ?? origin;
    const region = createWithRoom(options, paths, origin);
    if (region !== undefined) return region;
  }
  throw new KvsError('ERR_KVS_ALREADY_RUNNING', `others keep starting and stopping servers named ${options.name}`);
}

/** @returns the region that was taken over, or what became of it; undefined: there is none */
function claimFound(options: ClaimOptions, paths: RegionPaths): OwnedRegion | Origin | 'changed' | undefined {
  const fd = openRegionFile(paths.ctl, true);
  if (fd === undefined) return undefined;
  let isKept = false;
  try {
    checkTrust(paths.ctl, fd, options.group);
    if (!native.tryLockByte(fd, SERVER_LEASE_BYTE)) throw alreadyRunning(options.name, paths.ctl, fd);
    // Whoever held the lease may have removed or replaced the name meanwhile.
    if (!isStillNamed(paths.ctl, fd)) return 'changed';
    const taken = adopt(options, paths, fd);
    if ('ctl' in taken) {
      isKept = true;
      options.onNamed?.();
      return taken;
    }
    if (taken.left !== undefined) options.salvage?.(taken.left);
    return putAside(options, paths, fd, taken);
  } finally {
    if (!isKept) closeSync(fd);
  }
}

/** Maps what a dead server left, if it will do. `fd` holds the lease, and goes on doing so. */
function adopt(options: ClaimOptions, paths: RegionPaths, fd: number): OwnedRegion | Unfit {
  const unfit = (reason: string, isWorthless = false): Unfit => ({ reason, isWorthless });
  if (options.fresh) return unfit('a fresh start was asked for', true);
  try {
    restoreHeader(paths, fd, options.group);
    const identity = readCtlHeader(paths.ctl, fd);
    if (identity.state === RegionState.stopped) return unfit('its server was stopped', true);
    if (identity.state === RegionState.starting) return unfit('its server died before it was ready', true);
    if (identity.bootId !== bootId()) return unfit('it was made before this boot of the host');
    const conflict = conflictOf(identity.shape, options.asked);
    const data = openData(paths, identity, options.group);
    if (typeof data === 'string') return unfit(conflict ?? data);
    const left = { name: options.name, data, geometry: geometryOf(identity.shape) };
    if (conflict !== undefined) return { ...unfit(conflict), left };
    const recoveries = data.words[DataHeader.recoveries];
    // What a failed sync has left in no file must not be put aside, however often others have died over it.
    if (recoveries >= MAX_RECOVERIES && !isBehindGap(data.words, left.geometry)) {
      return { ...unfit(`${recoveries} servers in a row died while they recovered it`), left };
    }
    data.words[DataHeader.recoveries] = recoveries + 1;
    const { workers } = options.shape;
    const geometry = geometryOf({ ...identity.shape, workers });
    const ctl = mapCtl(fd, geometry.ctlBytes);
    shareAgain(options.group, fd, 'ctl');
    signHeader(ctl, workers, options.version);
    store(ctl.words, CtlHeader.state, RegionState.recovering);
    const { name, shmDir, group } = options;
    return {
      name,
      shmDir,
      paths,
      geometry,
      ctl,
      data,
      ctlFd: fd,
      regionId: identity.regionId,
      group,
      origin: { kind: 'taken-over' },
    };
  } catch (error) {
    if (!(error instanceof KvsError)) throw error;
    if ((options.asked.logBytes ?? 0) > 0 && UNREADABLE.has(error.code)) throw notWritten(paths, error);
    return unfit(error.message);
  }
}

/** What nobody can say of such a region is whether it holds what is in no file of the log. */
const UNREADABLE = new Set<KvsErrorCode>(['ERR_KVS_LAYOUT', 'ERR_KVS_CORRUPT']);

function notWritten({ ctl, data }: RegionPaths, cause: KvsError): KvsError {
  const message =
    `${cause.message}. It may hold writes that are not in the files of the log yet: start the version that made it once, ` +
    `and stop it; or remove ${ctl} and ${data} to go on with what the files have`;
  return new KvsError(cause.code, message, { cause });
}

function mapCtl(fd: number, bytes: number): SegmentViews {
  const mapped = openAgain(fd);
  try {
    return viewsOf(native.mapSegment(mapped, bytes, true));
  } finally {
    closeQuietly(mapped);
  }
}

/** By the name of the option. */
const OPTION_NAMES = {
  slots: 'slots',
  stripes: 'stripes',
  maxMemoryBytes: 'maxMemory',
  maxValueBytes: 'maxValueBytes',
} as const;

/** @returns what of the shape is not as it was asked for, if anything */
export function conflictOf(shape: RegionShape, asked: Partial<RegionShape>): string | undefined {
  // How much there is for a log is no matter, but that there is any.
  if ((asked.logBytes ?? 0) > 0 && (shape.logBytes ?? 0) === 0) return 'it has no room for a log';
  for (const [key, option] of Object.entries(OPTION_NAMES) as [keyof typeof OPTION_NAMES, string][]) {
    const wanted = asked[key];
    if (wanted !== undefined && wanted !== shape[key]) return `its ${option} is ${shape[key]}, ${wanted} was asked for`;
  }
  return undefined;
}

/** @returns the mapped data segment, or what is wrong with it. @throws KvsError ERR_KVS_NOT_OURS */
function openData(
  { data: path }: RegionPaths,
  { shape, regionId }: CtlIdentity,
  group: number | undefined,
): SegmentViews | string {
  const fd = openRegionFile(path, true);
  if (fd === undefined) return 'its data file is missing';
  try {
    const { size } = checkTrust(path, fd, group);
    const { dataBytes } = geometryOf(shape);
    if (size !== dataBytes) return `its data file has ${size} bytes instead of ${dataBytes}`;
    const data = viewsOf(native.mapSegment(fd, size, true));
    shareAgain(group, fd, 'data');
    const { words } = data;
    const isOfIt = words[DataHeader.magic] === DATA_MAGIC && regionIdOf(data, DataHeader.regionId) === regionId;
    if (!isOfIt || words[DataHeader.layoutVersion] !== LAYOUT_VERSION) return 'its data file is of another region';
    return data;
  } finally {
    closeQuietly(fd);
  }
}

/** Ends a region for all who have it mapped, and frees its name. The lease is held through `fd`. */
function putAside(
  options: CreateRegionOptions,
  paths: RegionPaths,
  fd: number,
  { reason, isWorthless }: Unfit,
): Origin {
  // The header may be garbage; the file is ours to write all the same.
  const stopped = new Int32Array([RegionState.stopped]);
  if (fstatSync(fd).size >= CtlHeader.sizeBytes) writeSync(fd, stopped, 0, 4, CtlHeader.state * 4);
  removeBells(options.name, options.shmDir);
  if (isWorthless) {
    removeFile(paths.data);
    removeFile(paths.ctl);
    return { kind: 'replaced', reason, archive: undefined };
  }
  removeArchive(paths);
  if (existsSync(paths.data)) moveFile(paths.data, paths.archivedData);
  // Last: without its name nobody would find the rest.
  moveFile(paths.ctl, paths.archivedCtl);
  return { kind: 'replaced', reason, archive: paths.archivedCtl };
}

/** Puts a region aside that was taken over and cannot be recovered. Its lease is given up. */
export function archiveRegion(region: OwnedRegion, reason: string): Origin {
  try {
    return putAside({ ...region, shape: region.geometry, version: '' }, region.paths, region.ctlFd, {
      reason,
      isWorthless: false,
    });
  } finally {
    closeQuietly(region.ctlFd);
  }
}

function removeArchive(paths: RegionPaths): void {
  removeFile(paths.archivedData);
  removeFile(paths.archivedCtl);
}

/** An archive is worth less than a server that runs. */
function createWithRoom(options: CreateRegionOptions, paths: RegionPaths, origin: Origin): OwnedRegion | undefined {
  try {
    return createRegion(options, origin);
  } catch (error) {
    const isFull = error instanceof KvsError && error.code === 'ERR_KVS_NO_SPACE';
    if (!isFull || !existsSync(paths.archivedCtl)) throw error;
    removeArchive(paths);
    return createRegion(options, origin.kind === 'replaced' ? { ...origin, archive: undefined } : origin);
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
